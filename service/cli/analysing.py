"""The command that analyses what makes people pick a saying: `python -m service analyse`."""

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec

from service.cli.stores import existing_address, opened
from service.config import Settings
from service.errors import AnalysisImpossible
from service.process import say
from service.statistics.schemas import Analysis, Interval
from service.store.base import Store

if TYPE_CHECKING:
    from rich.table import Table


async def analyse(_: argparse.Namespace, settings: Settings) -> int:
    """Analyse all ballots, show the result, and store it for GET /stats. 1 if it cannot be done."""
    async with opened(existing_address(settings), settings) as store:
        try:
            analysis = await _analysed(store)
        except ModuleNotFoundError as error:
            say(f"The analysis needs {error.name}, which `pip install -r requirements/analyse.txt` installs.")
            return 1
        except AnalysisImpossible as error:
            say(f"{error} Nothing is stored.")
            return 1
        await store.put_analysis(msgspec.json.encode(analysis).decode())
    _print(analysis)
    return 0


async def _analysed(store: Store) -> Analysis:
    """The analysis of the real models, or of the simulated ones in a store that has no ballots on real ones."""
    from service.statistics.analysis import analysis, choice  # imported here, because only this command has its needs

    found = [(stored.comparison.simulated, choice(stored)) async for stored in store.all_ballots()]
    simulated = all(is_simulated for is_simulated, choice in found if choice)
    choices = [choice for is_simulated, choice in found if choice and is_simulated is simulated]
    return analysis(choices, simulated=simulated, now=await store.time())


def _print(analysis: Analysis) -> None:
    from rich.console import Console  # imported here, because a server does not need it

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    console.print(_models(analysis), _effects(analysis))
    clusters = f"{analysis.voters} voters on {analysis.comparisons} comparisons"
    console.print(f"From {analysis.ballots} ballots by {clusters}, with 95 % intervals.", soft_wrap=True)
    console.print(
        "Answers are shown at once, so that their latency should have no effect: a factor of 1.", soft_wrap=True
    )


def _models(analysis: Analysis) -> "Table":
    what = "simulated models" if analysis.simulated else "models"
    table = _table(f"How often {what} are picked as the best", "Model", "As it is", "At equal length")
    for one in analysis.models:
        table.add_row(one.model, _percent(one.picked), _percent(one.adjusted))
    return table


def _effects(analysis: Analysis) -> "Table":
    table = _table("What changes the odds of being picked", "Effect", "Factor")
    table.add_row(f"{analysis.length_deviation:.0f} characters more", _factor(analysis.length))
    table.add_row("a latency longer by one standard deviation of its logarithm", _factor(analysis.arrival))
    for slot, factor in analysis.slots.items():
        table.add_row(f"slot {slot} instead of A", _factor(factor))
    return table


def _table(title: str, *headings: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading)
    return table


def _percent(found: Interval) -> str:
    value, low, high = (
        _shown(None if end is None else 100 * end, ".0f") for end in (found.value, found.low, found.high)
    )
    return f"{value} % ({low} to {high})"


def _factor(found: Interval) -> str:
    return f"{_shown(found.value, '.2f')} ({_shown(found.low, '.2f')} to {_shown(found.high, '.2f')})"


def _shown(number: float | None, form: str) -> str:
    return "–" if number is None else format(number, form)
