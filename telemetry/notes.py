"""Which traces are kept: a listener that notes what happens and hands over what is finished and worth telling."""

from collections.abc import Callable
from typing import NamedTuple

from telemetry import traces
from telemetry.events import DependencyFailed, Event, ModelCalled, RequestServed, RoundFinished, Unexpected
from telemetry.traces import Trace

# What makes a trace worth keeping although it was not sampled.
_REMARKABLE = frozenset({ModelCalled, DependencyFailed, Unexpected})


class Finished(NamedTuple):
    """A trace whose work is over, and the event that ended it."""

    trace: Trace
    last: RequestServed | RoundFinished


class NoteTaker:
    """Hands over rounds, requests that are sampled (`ratio` of them, or by the caller's wish), and remarkable ones."""

    def __init__(self, *outlets: Callable[[Finished], None], ratio: float) -> None:
        self._outlets = outlets
        self._ratio = ratio

    def emit(self, event: Event) -> None:
        trace = traces.current()
        if trace is None:
            return
        if type(event) is RequestServed:
            if trace.is_sampled(self._ratio) or _is_remarkable(event, trace):
                self._finish(trace, event)
        elif type(event) is RoundFinished:
            self._finish(trace, event)
        else:
            trace.note(event)

    def _finish(self, trace: Trace, last: RequestServed | RoundFinished) -> None:
        trace.end()
        finished = Finished(trace, last)
        for hand_over in self._outlets:
            hand_over(finished)


def _is_remarkable(event: RequestServed, trace: Trace) -> bool:
    for _, note in trace.notes:  # not any(…): every request comes by here
        if type(note) in _REMARKABLE:
            return True
    return event.status >= 500
