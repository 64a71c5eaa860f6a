"""The start and the end of a process: it reads the settings, configures the logs and sets the exit code."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TextIO

from service.config import Settings
from service.errors import ConfigError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import Unexpected
from telemetry.hooks import take_over_errors
from telemetry.log_output import say
from telemetry.logs import LogListener, configure_logging
from telemetry.outbound import forget_proxies_of_others

__all__ = ["Main", "freeze_modules", "run", "say", "stop_signal"]

Main = Callable[[Settings], Coroutine[Any, Any, int]]


def run(main: Main) -> None:
    """Run `main` with the settings from the environment and exit with the code that it returns.

    An invalid setting exits with 2 and one line on the standard error. A defect exits with 1 and is logged with its
    stack; we do not let Python print it, because Python prints the messages of all chained exceptions, and a library's
    message may contain a key.
    """
    configure_logging()  # with the default level, so that there is a log before the settings are read
    take_over_errors()
    forget_proxies_of_others()
    try:
        settings = Settings.from_env(os.environ)
        configure_logging(settings.log_level)
        sys.exit(_flushed(asyncio.run(main(settings))))
    except ConfigError as error:
        say(f"Cannot start. {error}")
        sys.exit(2)
    except KeyboardInterrupt:  # the signal came before the handlers of `stop_signal` were installed
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        LogListener().emit(Unexpected("process", error))
        sys.exit(1)


def _flushed(code: int) -> int:
    """Write what the standard streams still hold and return the exit code, which is 1 if output was lost.

    Python would flush them at its very end, and then print the exception and exit with 120 if that fails.
    """
    if (reason := _flush(sys.stdout)) and not code:  # a command that has failed has said why
        say(f"The output could not be written: {reason}")
        code = 1
    _flush(sys.stderr)
    return code


def _flush(stream: TextIO | None) -> str:
    """Flush a standard stream, and return why its output was lost; "" if it was not, or if its reader had enough."""
    if stream is None:
        return ""
    try:
        stream.flush()
    except OSError as error:
        with Path(os.devnull).open("wb") as nothing:  # so that what is left can be flushed
            os.dup2(nothing.fileno(), stream.fileno())
        return "" if isinstance(error, BrokenPipeError) else os.strerror(error.errno or 0)
    return ""


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM, SIGINT and SIGHUP set from now on.

    SIGHUP comes when a terminal is closed; a process that was told to ignore it, as by nohup, goes on ignoring it. Call
    this before anything else, so that a signal during the start-up stops the process in good order, too.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    return stop


async def freeze_modules(*, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
    """Freeze the garbage collector's objects whenever new modules have been imported.

    A full collection visits every object that is not frozen, and the vendors' SDKs consist of hundreds of thousands.
    They are imported when they are first needed, which may be long after the start, so this checks again and again.
    """
    known = 0
    while True:
        await asyncio.sleep(timeouts.module_check_every)
        if len(sys.modules) > known:
            known = len(sys.modules)
            gc.collect()
            gc.freeze()
