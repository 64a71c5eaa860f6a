"""How a process of ours starts and ends: settings, logs, one clear line when a setting is bad."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from service.config import Settings
from service.errors import ConfigError
from telemetry.events import Unexpected
from telemetry.logs import LogListener, configure_logging

Main = Callable[[Settings], Coroutine[Any, Any, int]]


def run(main: Main) -> None:
    """Run `main` with the environment's settings and exit with what it returns.

    A bad setting ends in 2 and one line, a defect in 1 and its stack in the log: Python would print the texts of all
    exceptions that led to it, and a library's may hold a key.
    """
    try:
        settings = Settings.from_env(os.environ)
        configure_logging(settings.log_level)
        sys.exit(asyncio.run(main(settings)))
    except ConfigError as error:
        say(f"Cannot start. {error}")
        sys.exit(2)
    except KeyboardInterrupt:  # before anything listens to signals
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        LogListener().emit(Unexpected("process", error))
        sys.exit(1)


def say(line: str) -> None:
    """A line for the person at the terminal; the log on stdout stays pure JSON."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
