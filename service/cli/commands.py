"""The commands of those who run the service: `python -m service export …` and `python -m service review-bursts`."""

import argparse
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.aws.clients import AwsClients
from service.config import Settings
from service.errors import ConfigError, StoreError
from service.export import Export, Format, rows, writer
from service.process import say
from service.resources import DEFAULT_SIMULATED_STORE, DEFAULT_STORE
from service.store.address import open_store
from service.store.base import Store

EXPORT = "export"
REVIEW_BURSTS = "review-bursts"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Let a parser know the commands; without one `command` is None."""
    commands = parser.add_subparsers(dest="command", metavar="command")
    export = commands.add_parser(EXPORT, help="write votes, sayings, comparisons or model calls as CSV or JSON lines")
    export.add_argument("what", choices=list(Export), type=Export, metavar="|".join(Export))
    export.add_argument("--format", choices=list(Format), type=Format, default=Format.CSV, metavar="|".join(Format))
    export.add_argument("--output", type=Path, help="the file to write instead of the standard output")
    commands.add_parser(
        REVIEW_BURSTS, help="set bursts of votes aside, or count them again, by the present SAYINGS_BURST_VOTES"
    )


async def carry_out(arguments: argparse.Namespace, settings: Settings) -> int:
    """Carry a command out; its exit code."""
    address = _store_address(settings)
    try:
        async with _opened(address, settings) as store:
            if arguments.command == REVIEW_BURSTS:
                await _review(store, settings.burst_votes)
            else:
                await _export(store, arguments.what, arguments.format, arguments.output, address)
    except StoreError as error:
        say(f"It could not be finished: {error}")
        return 1
    except BrokenPipeError:  # whoever read, `head` perhaps, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        say(f"It could not be written: {error.strerror}")
        return 1
    return 0


async def _review(store: Store, limit: int) -> None:
    changed = await store.review_bursts()
    say(f"More than {limit} votes from one address in an hour are a burst now: {changed} have changed sides.")


async def _export(store: Store, what: Export, form: Format, output: Path | None, address: str) -> None:
    total = (await store.sizes())[what]
    count = 0
    with _opened_for_writing(output) as out, _progress(what, total) as progress:
        write = writer(out, form)
        async for row in rows(store, what):
            write(row)
            count += 1
            progress.advance(progress.task_ids[0])
    say(f"{count} rows of {what} from {address}")


@asynccontextmanager
async def _opened(address: str, settings: Settings) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        aws = AwsClients(settings.aws_region, stack)
        yield await open_store(address, aws, stack, burst_limit=settings.burst_votes)


def _store_address(settings: Settings) -> str:
    """The store of the settings, otherwise the one that is here. Raises ConfigError."""
    if settings.store:
        return settings.store
    here = [address for address in (DEFAULT_STORE, DEFAULT_SIMULATED_STORE) if _file_of(address).exists()]
    if len(here) == 1:
        return here[0]
    files = f"{_file_of(DEFAULT_STORE)} and {_file_of(DEFAULT_SIMULATED_STORE)}"
    raise ConfigError("SAYINGS_STORE", f"is needed: {files} are both here" if here else "is needed: there is none here")


def _file_of(address: str) -> Path:
    return Path(address.removeprefix("sqlite:///"))


@contextmanager
def _opened_for_writing(output: Path | None) -> Iterator[TextIO]:
    # No translation of line ends: CSV has its own, which are the same everywhere.
    with output.open("w", encoding="utf-8", newline="") if output else nullcontext(sys.stdout) as out:
        yield out
        out.flush()


def _progress(what: Export, total: int) -> Progress:
    """A bar on standard error when that is a terminal, nothing otherwise."""
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
