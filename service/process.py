"""How a process starts, is told to stop and ends: settings, logs, one clear line when a setting is bad."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from service.config import Settings
from service.errors import ConfigError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
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


def stop_signal() -> asyncio.Event:
    """What SIGTERM and SIGINT set from now on. To be asked for first of all, so that no signal finds nobody at home."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def freeze_modules(*, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
    """Clean up once when modules have come, and have all later collections pass over what is there by then.

    A full collection looks at every object there is, and the vendors' SDKs are hundreds of thousands. They come when
    they are first needed, which may be late.
    """
    known = 0
    while True:
        await asyncio.sleep(timeouts.module_check_every)
        if len(sys.modules) > known:
            known = len(sys.modules)
            gc.collect()
            gc.freeze()
