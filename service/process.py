"""How a process of ours starts and ends: settings, logs, one clear line when a setting is bad."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from service.config import Settings
from service.errors import ConfigError
from telemetry.logs import configure_logging

Main = Callable[[Settings], Coroutine[Any, Any, int]]


def run(main: Main) -> None:
    """Run `main` with the environment's settings and exit with what it returns; 2 and one line for a bad setting."""
    try:
        settings = Settings.from_env(os.environ)
        configure_logging(settings.log_level)
        sys.exit(asyncio.run(main(settings)))
    except ConfigError as error:
        say(f"Cannot start. {error}")
        sys.exit(2)


def say(line: str) -> None:
    """A line for the person at the terminal; the log on stdout stays pure JSON."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
