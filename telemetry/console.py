"""Each request and round as a tree on the terminal: `make run TRACE=1` shows traces without any backend.

What belongs to a step is below it, as in the trace that is sent. Below its calls a tree lists the metrics counted from
the same events, under the names they have in CloudWatch.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from telemetry import names, traces
from telemetry.events import (
    AwsCalled,
    BallotTaken,
    ComparisonFinished,
    DependencyFailed,
    Event,
    ModelCalled,
    ModelReport,
    RequestServed,
    SayingServed,
    SqliteCalled,
    StepTaken,
    Unexpected,
    VoteTaken,
    WorkFinished,
)
from telemetry.harmless import printable
from telemetry.metrics import DIMENSIONS, UNITS, Attributes, Batch, Metrics
from telemetry.notes import Finished
from telemetry.traces import Note


class TraceConsole:
    """Prints finished traces."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, finished: Finished) -> None:
        trace, last = finished
        tree = Tree(_line_of(f"{_headline(last)}   {traces.xray_form(trace.trace_id)}", style="bold"))
        _add(tree, "", _by_parent(trace.notes))
        counted = Metrics()
        for event in (*(note.event for note in trace.notes), last):
            counted.emit(event)
        for text in _metric_lines(counted.take()):
            tree.add(_line_of(text, style="dim"))
        self._console.print(tree)


def _by_parent(notes: Sequence[Note]) -> Mapping[str, list[Event]]:
    """The events below each span, in the order of their ends. Those of the root are under the empty id."""
    parents = {_span_id(note.event) for note in notes}
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for note in notes:
        found[note.parent_id if note.parent_id in parents else ""].append(note.event)
    return found


def _span_id(event: Event) -> str:
    """The id of the span that the event becomes, or "" if nothing can be below it."""
    if isinstance(event, StepTaken):
        return event.span_id
    return event.generation_id[32:] if isinstance(event, ModelCalled) else ""


def _add(tree: Tree, span_id: str, events: Mapping[str, list[Event]]) -> None:
    for event in events.get(span_id, ()):
        line = _line(event)
        if line is not None:
            branch = tree.add(line)
            if own := _span_id(event):
                _add(branch, own, events)


def _metric_lines(batch: Batch) -> Iterator[str]:
    totals = {series: histogram.total for series, histogram in batch.histograms.items()}
    for (name, attributes), value in (totals | dict(batch.sums)).items():
        if name in DIMENSIONS:
            yield _metric_line(name, attributes, value)


def _metric_line(name: str, attributes: Attributes, value: float) -> str:
    unit = "" if UNITS[name].startswith("{") else f" {UNITS[name]}"
    words = (text for key, text in attributes if key != names.SIMULATED)
    return f"{name} {value:.6g}{unit}  {' '.join(words)}".rstrip()


def _headline(last: Event) -> str:
    if isinstance(last, RequestServed):
        return f"{last.method} {last.route or '?'} {last.status} in {last.total_ms:.2f} ms"
    operation = last.operation if isinstance(last, WorkFinished) else "round"
    return f"{operation} in {getattr(last, 'total_ms', 0.0):.0f} ms"


def _line(note: Event) -> Text | None:  # noqa: C901 - one case per event is the plainest form
    match note:
        case ModelCalled():
            tokens = f"{note.input_tokens or 0} + {note.output_tokens or 0} tokens"
            cost = "" if note.cost_nanos is None else f", ${note.cost_nanos / 1e9:.6f}"
            return _timed(f"chat {note.model} ({note.vendor})", note.api_time_ms, f"{tokens}{cost}", note.error_type)
        case AwsCalled():
            detail = " ".join(note.tables)
            return _timed(f"{note.service}.{note.operation}", note.total_ms, detail, note.error_type)
        case StepTaken():
            return _timed(f"{note.name} {note.model}".rstrip(), note.total_ms, "", note.error_type)
        case SqliteCalled():
            return _timed(f"sqlite {note.operation}", note.total_ms, "", note.error_type)
        case SayingServed():
            return _line_of(f"saying {note.request_number} from {note.origin}{_because(note.degraded)}")
        case VoteTaken():
            return _line_of(f"vote {note.feedback_type or 'taken back'}: {note.status} ({note.contributor})")
        case ComparisonFinished():
            more = ", shown again" if note.replayed else ", abandoned" if note.abandoned else ""
            return _timed(f"comparison: {note.answered} answered, {note.failed} failed{more}", note.total_ms, "", "")
        case BallotTaken():
            return _line_of(f"ballot {note.outcome}: {note.status}")
        case ModelReport():
            return _timed(f"{note.model} brought {note.sayings}", note.total_ms, "", note.error_type)
        case DependencyFailed():
            return _line_of(f"{note.dependency}: {note.error_message}", style="red")
        case Unexpected():
            return _line_of(f"{note.operation}: {type(note.error).__name__}", style="red")
    return None


def _because(reason: str | None) -> str:
    return f" because {reason}" if reason else ""


def _timed(what: str, milliseconds: float, detail: str, error: str) -> Text:
    parts = [f"{milliseconds:9.2f} ms  {what}", detail, error]
    return _line_of("  ".join(part for part in parts if part), style="red" if error else "")


def _line_of(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
