"""The command that writes stored data as rows: `python -m service export votes --format csv`."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from service.cli.rows import Export, rows, writer
from service.cli.stores import existing_address, opened
from service.config import Settings
from service.process import say

if TYPE_CHECKING:
    from rich.progress import Progress


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
    with output.open("w", encoding="utf-8", newline="") if output else nullcontext(sys.stdout) as out:
        yield out
        out.flush()


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
