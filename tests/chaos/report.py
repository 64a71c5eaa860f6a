"""What a run comes to: figures and verdict, tables for a terminal, and a plot."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.chaos.ledger import Spending
from tests.chaos.plan import Kind
from tests.chaos.processes import Vitals
from tests.chaos.soak import Run
from tests.chaos.traffic import End, Visit

NANOS = 1_000_000_000
MEGABYTE = 2**20
# What a server at rest may hold more in the end than after warming up: part of it, or so many where there are few.
GROWTH = {"memory": (0.10, 4 * MEGABYTE), "descriptors": (0.10, 12), "threads": (0.10, 6), "children": (0.0, 0),
          "tasks": (0.10, 12)}  # fmt: skip
# A request that fails so soon after an outage may still have met it: on a connection from before.
ECHO_SECONDS = 1.0
SHOWN_EXAMPLES = 5
SLOW_ON_PURPOSE = (Kind.DRIP, Kind.HALF_HEAD)
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Must:
    """Something that has to be so: what was found, and examples of what was wrong."""

    name: str
    found: str
    holds: bool
    examples: Sequence[str] = ()


def musts(run: Run) -> list[Must]:
    """Everything that has to be so, in the order in which it is shown."""
    undocumented = [f"{visit.kind}: {visit.what or 'no answer'}" for visit in run.visits if is_undocumented(run, visit)]
    lost, doubled = run.ledger.lost(run.books), run.ledger.doubled(run.books)
    return [
        _none("undocumented errors", undocumented),
        _none("lost votes", lost),
        _none("doubled votes", doubled),
        _none("answers against the ledger", run.ledger.contradictions()),
        Must("overspend", f"${run.spending.overspent / NANOS:.6f}", run.spending.overspent == 0),
        Must("billed, but in no books", f"${run.spending.unbooked / NANOS:.6f}", run.spending.unbooked == 0),
        *(_flat(name, run.start, run.end) for name in GROWTH),
        _none("complaints of the processes", run.complaints),
    ]


def is_undocumented(run: Run, visit: Visit) -> bool:
    """Also no answer at all is an error, unless the process was down."""
    if visit.end is End.UNANSWERED:
        return not met_outage(run, visit)
    return visit.end is End.UNDOCUMENTED


def met_outage(run: Run, visit: Visit) -> bool:
    """Whether a process was down or frozen at any time of the visit."""
    return any(visit.started <= end + ECHO_SECONDS and visit.finished >= start for start, end in run.down)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _none(name: str, troubles: Sequence[str]) -> Must:
    return Must(name, f"{len(troubles)}", not troubles, _examples(troubles))


def _examples(troubles: Iterable[str]) -> list[str]:
    commonest = Counter(troubles).most_common(SHOWN_EXAMPLES)
    return [f"{text} ({count}×)" if count > 1 else text for text, count in commonest]


def _flat(name: str, start: Vitals, end: Vitals) -> Must:
    before, after = getattr(start, name), getattr(end, name)
    share, least = GROWTH[name]
    unit = MEGABYTE if name == "memory" else 1
    found = f"{before / unit:.4g} → {after / unit:.4g}{' MiB' if name == 'memory' else ''}"
    return Must(f"{name}, warm → end", found, after - before <= max(share * before, least))


# --- for a terminal ---------------------------------------------------------------------------------------------------


def show(runs: Sequence[Run], console: Console) -> None:
    """The runs side by side, and then what was wrong."""
    console.print(_totals(runs), _times(runs), *map(_course, runs), sep="\n")
    for run in runs:
        for must in musts(run):
            for example in must.examples:
                console.print(Text(f"{run.name}, {must.name}: {example}", "red"))


def _totals(runs: Sequence[Run]) -> Table:
    table = Table("", *(run.name for run in runs), title="What came of it")
    for name, *cells in zip(*(_figures(run) for run in runs), strict=True):
        table.add_row(name[0], *(cell[1] for cell in (name, *cells)))
    table.add_section()
    for row in zip(*(musts(run) for run in runs), strict=True):
        table.add_row(row[0].name, *(Text(must.found, "green" if must.holds else "bold red") for must in row))
    return table


def _figures(run: Run) -> list[tuple[str, str]]:
    ends = Counter(visit.end for visit in run.visits)
    known, all_votes = run.ledger.certain
    return [
        ("requests", f"{len(run.visits)}"),
        ("good answers", f"{ends[End.GOOD]}"),
        ("documented errors", _documented(run)),
        ("left by the visitor", f"{ends[End.LEFT]}"),
        ("no answer: the process was down", f"{ends[End.UNANSWERED] - _unexcused(run)}"),
        ("outages (seconds)", f"{len(run.down)} ({sum(end - start for start, end in run.down):.0f})"),
        ("processes started (in vain)", f"{run.starts} ({run.failed_starts})"),
        ("votes in the ledger (known for sure)", f"{all_votes} ({known})"),
        ("model calls (with a fault)", f"{run.calls} ({run.failed_calls})"),
        ("billed, booked, the cap", " ".join(_money(run.spending))),
    ]


def _money(spending: Spending) -> Iterator[str]:
    for nanos in (spending.billed, spending.booked, spending.cap):
        yield "–" if nanos is None else f"${nanos / NANOS:.4f}"


def _unexcused(run: Run) -> int:
    return sum(visit.end is End.UNANSWERED and not met_outage(run, visit) for visit in run.visits)


def _documented(run: Run) -> str:
    counts = Counter(visit.what for visit in run.visits if visit.end is End.DOCUMENTED)
    return "\n".join([f"{counts.total()}", *(f"  {count} × {what}" for what, count in counts.most_common())])


def _times(runs: Sequence[Run]) -> Table:
    table = Table("ms: p50, p99 outside outages", title="How long it took")
    for run in runs:
        table.add_column(run.name, justify="right")
    measured = [_by_kind(run) for run in runs]
    for kind in Kind:
        if any(kind in times for times in measured):
            table.add_row(kind, *(_p50_p99(times[kind]) for times in measured))
    return table


def _by_kind(run: Run) -> defaultdict[Kind, list[float]]:
    """Milliseconds of what was answered and met no outage."""
    times = defaultdict(list)
    for visit in run.visits:
        if visit.end not in (End.UNANSWERED, End.LEFT) and not met_outage(run, visit):
            times[visit.kind].append((visit.finished - visit.started) * 1000)
    return times


def _p50_p99(times: Sequence[float]) -> str:
    return f"{percentile(times, 0.5):,.1f}  {percentile(times, 0.99):,.1f}" if times else "–"


def _course(run: Run) -> RenderableType:
    """The run in a few lines, from its beginning to its end."""
    seconds = by_second(run)
    rows = {
        "requests": [float(len(visits)) for visits in seconds],
        "p99": [percentile([visit.finished - visit.started for visit in visits], 0.99) for visits in seconds],
        "memory": [float(size) for _, size in run.memory],
    }
    return Group(Text(run.name), *(Text(f"{name:>8} {sparkline(values)}") for name, values in rows.items()))


def by_second(run: Run) -> list[list[Visit]]:
    """The visits by the second in which they began, without those that take their time on purpose."""
    length = math.ceil(max((visit.started - run.beginning for visit in run.visits), default=0.0)) or 1
    seconds: list[list[Visit]] = [[] for _ in range(length)]
    for visit in (visit for visit in run.visits if visit.kind not in SLOW_ON_PURPOSE):
        seconds[min(length - 1, int(visit.started - run.beginning))].append(visit)
    return seconds


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """A line of bars, each the largest value of its stretch."""
    known = [0.0 if math.isnan(value) else value for value in values]
    step = max(1.0, len(known) / width)
    starts = [int(number * step) for number in range(min(width, len(known)))]
    heights = [max(known[start : max(start + 1, int(start + step))]) for start in starts]
    top = max(heights, default=0.0) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int(len(BARS) * height / top))] for height in heights)
