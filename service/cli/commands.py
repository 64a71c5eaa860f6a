"""The commands of `python -m service`, with their arguments and the functions that carry them out."""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from service.cli import analysing, checking, describing, exporting, maintaining, moderating
from service.cli import models as models_command
from service.cli.rows import Export, Format
from service.config import Settings
from service.errors import StoreError
from service.process import say
from service.server.serve import serve

# A command takes the arguments and the settings, and returns the exit code.
Command = Callable[[argparse.Namespace, Settings], Awaitable[int]]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line. The namespace holds the command's function as `run`, which defaults to `serve`."""
    parser = argparse.ArgumentParser(prog="python -m service", description="Serves the API, or carries a command out.")
    parser.set_defaults(run=_serve)
    commands = parser.add_subparsers(metavar="command")
    _add(commands, "serve", _serve, "serve the page and the API (what happens without a command)")
    seed = _add(commands, "seed", maintaining.seed, "load the collection into the store, as often as you like")
    seed.add_argument("--create-tables", action="store_true", help="create missing DynamoDB tables first")
    _add(commands, "check", checking.check, "check that votes can be stored, as GET /health/ready does")
    export = _add(commands, "export", exporting.export, "write votes, sayings, comparisons or model calls as rows")
    export.add_argument("what", choices=list(Export), type=Export, metavar="|".join(Export))
    export.add_argument("--format", choices=list(Format), type=Format, default=Format.CSV, metavar="|".join(Format))
    export.add_argument("--output", type=Path, help="the file to write instead of the standard output")
    analyse = "show what the length of a saying does to the ballots, and store it for GET /stats"
    _add(commands, "analyse", analysing.analyse, analyse)
    withdraw = _add(commands, "withdraw", moderating.withdraw, "take a saying down everywhere, within 10 seconds")
    withdraw.add_argument("id", help="the id of the saying, which may be one that is not stored yet")
    withdraw.add_argument("--reason", required=True, help="why, for those who look at it later")
    restore = _add(commands, "restore", moderating.restore, "show a withdrawn saying again, or keep a reported one")
    restore.add_argument("id", help="the id of the saying")
    reports = _add(commands, "reports", moderating.reports, "list the sayings that visitors have reported")
    reports.add_argument("--json", action="store_true", help="write JSON instead of a table")
    prune = "remove old data, and voters who asked for it, now and to the end (workers do so once a day)"
    _add(commands, "prune", maintaining.prune, prune)
    backup = _add(commands, "backup", maintaining.backup, "copy the SQLite database, which may be in use, and check it")
    backup.add_argument("file", type=Path, help="the file to write, which must not exist yet")
    models = _add(commands, "models", models_command.models, "show seats, models, prices, and what needs a person")
    models.add_argument("--json", action="store_true", help="write JSON instead of a table")
    _add(commands, "openapi", describing.openapi, "write the OpenAPI document to the standard output")
    return parser.parse_args(arguments)


async def carry_out(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the command and return its exit code. A failure prints one line on the standard error."""
    command: Command = arguments.run
    try:
        return await command(arguments, settings)
    except StoreError as error:
        say(f"It could not be finished: {error}")
        return 1
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        say(f"It could not be written: {error.strerror}")
        return 1


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Command, description: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(run=run)
    return parser


async def _serve(_: argparse.Namespace, settings: Settings) -> int:
    return await serve(settings)
