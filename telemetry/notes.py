"""A listener that notes events in their trace, and hands over the finished traces that are kept."""

from collections.abc import Callable
from typing import NamedTuple

from telemetry import traces
from telemetry.events import Event, RequestServed, RoundFinished, WorkFinished
from telemetry.sampling import Sampler
from telemetry.traces import Trace

# The events that end a trace.
Last = RequestServed | RoundFinished | WorkFinished


class Finished(NamedTuple):
    """A trace whose work is over, and the event that ended it."""

    trace: Trace
    last: Last


Outlet = Callable[[Finished], None]


class NoteTaker:
    """Hands finished traces over: those that `sampler` keeps to `keep`, and all of them to `show`.

    Rounds are kept unless sampling is off: there are few of them.
    """

    def __init__(self, sampler: Sampler, *, keep: Outlet | None = None, show: Outlet | None = None) -> None:
        self._sampler = sampler
        self._keep = keep
        self._show = show

    def emit(self, event: Event) -> None:
        trace = traces.current()
        if trace is None:
            return
        if type(event) is RequestServed or type(event) is WorkFinished:
            is_kept = self._sampler.samples(trace) or self._sampler.keeps(event, trace)
            self._finish(trace, event, is_kept=is_kept)
        elif type(event) is RoundFinished:
            is_kept = self._sampler.keeps_unsampled or self._sampler.samples(trace)
            self._finish(trace, event, is_kept=is_kept)
        else:
            trace.note(event)

    def _finish(self, trace: Trace, last: Last, *, is_kept: bool) -> None:
        trace.end()
        if not is_kept and self._show is None:
            return
        trace.recall()
        finished = Finished(trace, last)
        if is_kept and self._keep is not None:
            self._keep(finished)
        if self._show is not None:
            self._show(finished)
