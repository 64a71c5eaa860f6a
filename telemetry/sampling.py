"""Which traces are kept: those that are sampled, and of the others the remarkable ones, within a rate.

What a client sends decides nothing here. Its wish is followed only where we can trust who passes it on, and behind
proxies, which pass on what clients have written, only within a rate. Nor does the trace id of a client decide, because
a client could choose one that is always sampled.
"""

import random
import time
from collections.abc import Callable
from enum import Enum, auto

from telemetry.events import DependencyFailed, ModelCalled, RequestServed, Unexpected, WorkFinished
from telemetry.otel_settings import OtelSettings
from telemetry.traces import Trace

# As many a second as X-Ray's own reservoir lets through.
KEPT_A_SECOND = 1.0
# How many may come at once after a pause.
BURST = 5

_FAILURES = frozenset({DependencyFailed, Unexpected})


class Trust(Enum):
    """Whose wish to sample a trace is followed."""

    NOBODY = auto()
    PROXIES = auto()  # within a rate
    PLATFORM = auto()  # always: Lambda has already applied X-Ray's rates


class Reservoir:
    """Lets `a_second` through on average, and at most `burst` at once. `clock` returns seconds."""

    def __init__(
        self, a_second: float = KEPT_A_SECOND, burst: int = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._a_second = a_second
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Whether one more is let through now."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._a_second, self._burst)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Sampler:
    """Decides about each trace once, by `settings`."""

    def __init__(
        self, settings: OtelSettings, trust: Trust = Trust.NOBODY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = settings.share
        self._trust = trust if settings.follows_parents else Trust.NOBODY
        # What is switched off is off, however remarkable it is.
        self.keeps_unsampled = settings.sampler != "always_off"
        self._asked, self._failed, self._called = (Reservoir(clock=clock) for _ in range(3))

    def samples(self, trace: Trace) -> bool:
        """Whether the trace is sampled. The first call decides."""
        if trace.sampled is None:
            trace.sampled = self._decides(trace)
        return trace.sampled

    def keeps(self, last: RequestServed | WorkFinished, trace: Trace) -> bool:
        """Whether a trace that is not sampled is kept for a failure, a defect or a call of a model."""
        if not self.keeps_unsampled:
            return False
        has_called = False
        for _, noted, _ in trace.notes:
            if type(noted) in _FAILURES or (type(noted) is ModelCalled and noted.error_type):
                return self._failed.take()
            has_called = has_called or type(noted) is ModelCalled
        if type(last) is RequestServed and last.status >= 500:
            return self._failed.take()
        return has_called and self._called.take()

    def _decides(self, trace: Trace) -> bool:
        if not trace.is_callers:
            is_chosen = int(trace.trace_id[16:], 16) < self._share * 2**64
            return is_chosen or (bool(trace.asked) and self.keeps_unsampled)
        if trace.asked is not None and self._trust is not Trust.NOBODY:
            if not trace.asked:
                return False
            if self._trust is Trust.PLATFORM or self._asked.take():
                return True
        return random.random() < self._share
