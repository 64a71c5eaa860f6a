"""The command that writes stored data as rows: `python -m service export votes --format csv`."""

import argparse
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from service.cli.rows import Export, rows, writer
from service.cli.stores import existing_address, opened
from service.config import Settings
from service.process import say

if TYPE_CHECKING:
    from rich.progress import Progress


_OWNER_ONLY, _OTHERS = 0o600, 0o077


async def export(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the rows of one kind to the standard output or to a file."""
    address, what, count = existing_address(settings), arguments.what, 0
    async with opened(address, settings) as store:
        total = (await store.sizes())[what]
        with _opened_for_writing(arguments.output) as out, _progress(what, total) as progress:
            write = writer(out, arguments.format)
            async for row in rows(store, what):
                write(row)
                count += 1
                progress.advance(progress.task_ids[0])
    say(f"{count} rows of {what} from {address}")
    return 0


@contextmanager
def _opened_for_writing(output: Path | None) -> Iterator[TextIO]:
    # Line ends are not translated, because CSV has its own, which are the same on every system.
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with open(output, "w", encoding="utf-8", newline="", opener=_open_privately) as out:
        yield out


def _open_privately(path: str, flags: int) -> int:
    """Open a file so that others can never read it, because an export is personal data.

    The rights to an existing file are taken away from others before anything is written. A file that belongs to another
    user, and what is not a regular file, such as a terminal, keeps its mode.
    """
    descriptor = os.open(path, flags, _OWNER_ONLY)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
        os.fchmod(descriptor, _OWNER_ONLY)
        say(f"{path} can be read by its owner only now.")
    return descriptor


def _progress(what: Export, total: int) -> "Progress":
    """A progress bar on the standard error, which shows nothing unless that is a terminal."""
    from rich.console import Console  # imported here, because a server does not need it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    progress.add_task(f"Exporting {what}", total=total)
    return progress
