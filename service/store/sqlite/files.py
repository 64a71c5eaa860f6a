"""Keeps the database's files from other users of the machine."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from telemetry.events import FileExposed, Listener

OWNER_ONLY = 0o600
_OTHERS = 0o077


def create_private(path: Path) -> None:
    """Create the file with mode 0600, if it does not exist. SQLite gives the files beside it the mode that it has.

    What stands in the way is left for SQLite to report.
    """
    with suppress(OSError):
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))


def make_private(path: Path, listener: Listener) -> None:
    """Take the rights of others to a database and the files beside it away, and report that.

    A file that belongs to another user keeps its mode, which is reported too.
    """
    real = path.resolve()
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            _narrow(real.with_name(real.name + suffix), listener)


def _narrow(file: Path, listener: Listener) -> None:
    # By name, because closing a file descriptor would drop the locks that this process holds on the database.
    found = file.stat()
    if not found.st_mode & _OTHERS:
        return
    is_ours = found.st_uid == os.geteuid()
    if is_ours:
        file.chmod(OWNER_ONLY)
    listener.emit(FileExposed(file.name, f"{stat.S_IMODE(found.st_mode):04o}", narrowed=is_ours))
