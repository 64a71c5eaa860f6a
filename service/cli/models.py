"""The command that shows the line-up and what becomes of it: `python -m service models`."""

import argparse
import datetime
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from service.api.schemas import ModelsAnswer, PriceEntry
from service.catalogue.lifecycle import Concern, Lifecycle, concerns
from service.config import Settings
from service.process import say
from service.resources import open_resources
from telemetry.events import DependencyFailed, Event

if TYPE_CHECKING:
    from rich.table import Table


async def models(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show seats, models, dates and prices, and what the vendors say. 1 if something needs a person, else 0."""
    failures = _Failures()
    async with open_resources(settings, os.environ, failures) as resources:
        await resources.gone_models.refresh()
        lifecycles = await resources.model_watch.lifecycles()
        answer, found = resources.endpoints.models(), concerns(resources.line_up, lifecycles)
        day = resources.line_up.day
    if arguments.json:
        said = {"day": day, "lifecycles": lifecycles, "concerns": found}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(msgspec.to_builtins(answer) | said)).decode() + "\n")
    else:
        _print(_table(answer, lifecycles, day), found)
    for line in failures.lines:
        say(line)
    return 1 if found else 0


class _Failures:
    """A listener that keeps what could not be asked."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, DependencyFailed):
            self.lines.append(f"{event.model or event.dependency} could not be asked: {event.error_message}")


def _print(table: "Table", found: Sequence[Concern]) -> None:
    from rich.console import Console  # imported here, because a server does not need it

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    for concern in found:
        console.print(f"{concern.subject}: {concern.sentence}", markup=False, highlight=False, soft_wrap=True)
    if not found:
        console.print("Nothing needs a person.")


def _table(answer: ModelsAnswer, lifecycles: Mapping[str, Lifecycle], day: datetime.date) -> "Table":
    from rich import box
    from rich.table import Table

    prices = "Input, cached, written and output tokens, in US dollars per million"
    table = Table(title=f"Models on {day}", caption=prices, box=box.SIMPLE_HEAD)
    for heading in ("Seat", "Model", "State", "From", "Until", "The vendor says", "Price", "Read"):
        table.add_column(heading, overflow="fold")
    for seat in answer.seats:
        name = seat.seat if seat.model else f"{seat.seat} (empty)"
        for entry in answer.models:
            if seat.seat in (entry.seat, entry.model):
                said, price = lifecycles.get(entry.model), entry.price
                left = entry.left_on or _until(entry.retires, day)
                word = _word(said) if said else "(not asked)"
                table.add_row(name, entry.model, entry.state, entry.arrives or "", left, word, *_price(price, day))
                name = ""
    return table


def _until(retires: str | None, day: datetime.date) -> str:
    return f"{retires} ({_days(datetime.date.fromisoformat(retires) - day)})" if retires else ""


def _word(said: Lifecycle) -> str:
    return f"{said.stage}, {said.retires}" if said.retires else said.stage


def _price(price: PriceEntry | None, day: datetime.date) -> tuple[str, str]:
    if price is None:
        return ("none", "")
    figures = (price.input, price.cached_input, price.cache_write, price.output)
    age = _days(day - datetime.date.fromisoformat(price.as_of))
    return (" / ".join("–" if figure is None else f"{figure:g}" for figure in figures), f"{age} ago")


def _days(span: datetime.timedelta) -> str:
    return "1 day" if span.days == 1 else f"{span.days} days"
