"""The choice of the traces to keep: a listener that notes events and hands over the finished traces worth keeping."""

from collections.abc import Callable
from typing import NamedTuple

from telemetry import traces
from telemetry.events import (
    DependencyFailed,
    Event,
    ModelCalled,
    RequestServed,
    RoundFinished,
    Unexpected,
    WorkFinished,
)
from telemetry.traces import Trace

# A trace with one of these events is kept even if it is not sampled.
_REMARKABLE = frozenset({ModelCalled, DependencyFailed, Unexpected})


# The events that end a trace.
Last = RequestServed | RoundFinished | WorkFinished


class Finished(NamedTuple):
    """A trace whose work is over, and the event that ended it."""

    trace: Trace
    last: Last


class NoteTaker:
    """Hands finished traces over to the outlets.

    It keeps all rounds, the requests and other work that are sampled (a share `ratio` of them, unless the caller has
    decided), and those with a failure, a defect or a call of a model.
    """

    def __init__(self, *outlets: Callable[[Finished], None], ratio: float) -> None:
        self._outlets = outlets
        self._ratio = ratio

    def emit(self, event: Event) -> None:
        trace = traces.current()
        if trace is None:
            return
        if type(event) is RequestServed or type(event) is WorkFinished:
            if trace.is_sampled(self._ratio) or _is_remarkable(event, trace):
                self._finish(trace, event)
        elif type(event) is RoundFinished:
            self._finish(trace, event)
        else:
            trace.note(event)

    def _finish(self, trace: Trace, last: Last) -> None:
        trace.end()
        trace.recall()
        finished = Finished(trace, last)
        for hand_over in self._outlets:
            hand_over(finished)


def _is_remarkable(event: RequestServed | WorkFinished, trace: Trace) -> bool:
    for _, noted, _ in trace.notes:  # not any(…), which is slower: this runs for every request
        if type(noted) in _REMARKABLE:
            return True
    return type(event) is RequestServed and event.status >= 500
