"""The interpreter's hooks for errors and warnings that no code of ours receives.

Python prints them on the standard error with the texts of all chained exceptions, in which a library's message may hold
a key. Here each becomes a line of the log, with types and stacks but without texts.
"""

import logging
import sys
import threading
import warnings
from types import TracebackType
from typing import TextIO

from telemetry.logs import logger


def take_over_errors() -> None:
    """Log what Python would print: the last error of the process or of a thread, errors of finalisers, warnings.

    Call this once a process, after `configure_logging` and before anything that may hold a secret.
    """
    logging.raiseExceptions = False  # a broken handler, be it a library's, prints neither record nor exception
    logging.lastResort = None  # nor does a logger that has no handler print its record
    warnings.showwarning = _log_warning
    sys.excepthook = _log_end_of_process
    threading.excepthook = _log_end_of_thread
    sys.unraisablehook = _log_unraisable


def _log_end_of_process(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    _log("process", kind, error)


def _log_end_of_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is not SystemExit:  # which Python ignores here, too
        _log("thread", arguments.exc_type, arguments.exc_value)


def _log_unraisable(arguments: "sys.UnraisableHookArgs") -> None:
    # When the interpreter is being taken apart, modules have lost their names, and Python would print what that raises.
    try:  # noqa: SIM105 - `suppress` may be gone, too
        _log("finaliser", arguments.exc_type, arguments.exc_value)
    except:  # noqa: E722, S110 - there is no log any more
        pass


def _log(operation: str, kind: type[BaseException], error: BaseException | None) -> None:
    fields = {"operation": operation, "error_type": kind.__name__}
    logger.error("unexpected error", exc_info=error, extra={"fields": fields})


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    fields = {
        "operation": "warning",
        "error_type": category.__name__,
        "error_message": f"issued at {filename}:{lineno}",
    }
    logger.warning("a warning was issued", extra={"fields": fields})
