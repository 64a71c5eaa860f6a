"""What a run comes to: figures and verdict, as tables for a terminal."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    """The nearest rank."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


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


def show(run: Run, console: Console) -> None:
    """What came of it, how long it took, and then what was wrong."""
    console.print(_totals(run), _times(run))
    for must in musts(run):
        for example in must.examples:
            console.print(Text(f"{must.name}: {example}", "red"))


def _totals(run: Run) -> Table:
    table = Table("", "", title="What came of it", show_header=False)
    for name, figure in _figures(run):
        table.add_row(name, figure)
    table.add_section()
    for must in musts(run):
        table.add_row(must.name, Text(must.found, "green" if must.holds else "bold red"))
    return table


def _figures(run: Run) -> list[tuple[str, str]]:
    ends = Counter(visit.end for visit in run.visits)
    known, all_votes = run.ledger.certain
    spending = run.spending
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
        ("billed, booked, the cap", " ".join(f"${nanos / NANOS:.4f}" for nanos in astuple(spending))),
    ]


def _unexcused(run: Run) -> int:
    return sum(visit.end is End.UNANSWERED and not met_outage(run, visit) for visit in run.visits)


def _documented(run: Run) -> str:
    counts = Counter(visit.what for visit in run.visits if visit.end is End.DOCUMENTED)
    return "\n".join([f"{counts.total()}", *(f"  {count} × {what}" for what, count in counts.most_common())])


def _times(run: Run) -> Table:
    """Of what was answered and met no outage."""
    times = defaultdict(list)
    for visit in run.visits:
        if visit.end not in (End.UNANSWERED, End.LEFT) and not met_outage(run, visit):
            times[visit.kind].append((visit.finished - visit.started) * 1000)
    table = Table("request", "p50 ms", "p99 ms", title="How long it took")
    for kind in Kind:
        if kind in times:
            table.add_row(kind, *(f"{percentile(times[kind], share):,.1f}" for share in (0.5, 0.99)))
    return table
