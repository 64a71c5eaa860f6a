"""The live table that a worker shows on a terminal, with a line for each model."""

from collections import Counter
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from service.catalogue.models import NANOS_PER_DOLLAR
from telemetry.events import (
    DependencyFailed,
    Event,
    ModelCalled,
    ModelReport,
    RoundStarted,
    SayingsRejected,
    Unexpected,
)


@dataclass(slots=True)
class _Line:
    """A line of the table: a model's state in the current round, and its sums over all rounds."""

    state: str = ""
    style: str = ""
    api_time_ms: float = 0.0
    sayings: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0


class ProgressTable:
    """A listener that shows the events in a table. It is a context manager, which restores the terminal at the end."""

    def __init__(self, console: Console) -> None:
        self._lines: dict[str, _Line] = {}
        self._rounds = 0
        self._rejected: Counter[str] = Counter()
        self._trouble = ""
        self._live = Live(self._table(), console=console, auto_refresh=False)

    def __enter__(self) -> "ProgressTable":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._live.stop()

    def emit(self, event: Event) -> None:
        match event:
            case RoundStarted():
                self._rounds += 1
                for model in event.models:
                    self._show(model, "writing …", "yellow")
            case ModelCalled():
                self._called(event)
            case SayingsRejected():
                self._rejected.update(event.problems)
            case ModelReport():
                self._reported(event)
            case DependencyFailed():
                self._trouble = f"{event.dependency} failed to {event.operation}: {event.error_message}"
            case Unexpected():
                self._trouble = f"defect in {event.operation}: {type(event.error).__name__}; a log on a pipe has it all"
            case _:
                return
        self._live.update(self._table(), refresh=True)

    def _line(self, model: str) -> _Line:
        return self._lines.setdefault(model, _Line())

    def _show(self, model: str, state: str, style: str) -> None:
        line = self._line(model)
        line.state, line.style = state, style

    def _called(self, event: ModelCalled) -> None:
        line = self._line(event.model)
        line.api_time_ms = event.api_time_ms
        line.output_tokens += event.output_tokens or 0
        line.cost_nanos += event.cost_nanos or 0

    def _reported(self, event: ModelReport) -> None:
        self._line(event.model).sayings += event.sayings
        if event.error_type:
            self._show(event.model, f"{event.error_type}: {event.error_message}", "red")
        else:
            self._show(event.model, f"{event.sayings} stored", "green")

    def _table(self) -> Table:
        title = f"Round {self._rounds}" if self._rounds else "No round yet: another worker may have made one just now"
        table = Table(title=title, caption=Text(self._caption()))
        table.add_column("Model")
        table.add_column("Now")
        for heading in ("Last call", "Sayings", "Tokens out", "Cost"):
            table.add_column(heading, justify="right")
        for model, line in self._lines.items():
            table.add_row(
                Text(model),
                Text(line.state, style=line.style),
                f"{line.api_time_ms / 1000:.2f} s",
                str(line.sayings),
                str(line.output_tokens),
                f"${line.cost_nanos / NANOS_PER_DOLLAR:.6f}",
            )
        return table

    def _caption(self) -> str:
        kept_out = ", ".join(f"{problem} {count}" for problem, count in self._rejected.items())
        return f"kept out: {kept_out or 'nothing'}{f' · {self._trouble}' if self._trouble else ''}"
