"""The one table: figure, ratio, bar, held or not."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tests.bench.measurement import Measurement

_HELD = {True: Text("held", "green"), False: Text("not held", "bold red"), None: Text("")}


def table(measurements: Sequence[Measurement]) -> Table:
    found = Table(title="Cloud Sayings, measured side by side in one run", title_justify="left")
    found.add_column("what", max_width=52)
    found.add_column("figure", justify="right", no_wrap=True)
    found.add_column("ratio", justify="right", no_wrap=True)
    found.add_column("bar", no_wrap=True)
    found.add_column("", no_wrap=True)
    found.add_column("against, and other figures")
    for each in measurements:
        ratio = "" if each.ratio is None else number(each.ratio)
        bar = "" if each.bar is None else str(each.bar)
        found.add_row(each.name, f"{number(each.value)} {each.unit}", ratio, bar, _HELD[each.held], _others(each))
    return found


def number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _others(each: Measurement) -> str:
    details = [f"{name} {number(value)}" for name, value in each.details.items() if name != each.baseline]
    if each.baseline in each.details:
        return "; ".join([f"{each.baseline}: {number(each.details[each.baseline])}", *details])
    return "; ".join(filter(None, [each.baseline, *details]))
