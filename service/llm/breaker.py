"""A circuit breaker per model: after a few failures in a row nobody waits for that model for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import ModelBreakerOpen, ModelError, ModelKeyRejected, ModelSpendLimitReached

# In a row rather than as a rate: at low traffic a rate never has enough calls to mean anything.
FAILURES_TO_OPEN = 3
COOL_DOWN_SECONDS = 30.0
# For what only a person can mend.
LONG_COOL_DOWN_SECONDS = 300.0


class Breaker:
    """Closed, open until a moment, then half-open: one call tries while the others are still turned away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around a call. Raises ModelBreakerOpen instead of calling; counts the ModelErrors that come out."""
        probe = self._enter()
        try:
            yield
            self._failures = 0
            self._open_until = None
        except ModelError as error:
            self._count(error, probe=probe)
            raise
        finally:
            if probe:
                self._probing = False

    def _enter(self) -> bool:
        """Whether this call is the probe of a half-open breaker."""
        if self._open_until is None:
            return False
        wait = self._open_until - self._clock()
        if wait > 0 or self._probing:
            raise ModelBreakerOpen("The model is left alone after failures.", retry_after=max(wait, 1.0))
        self._probing = True
        return True

    def _count(self, error: ModelError, *, probe: bool) -> None:
        self._failures += 1
        lasting = isinstance(error, ModelSpendLimitReached | ModelKeyRejected)
        if lasting or probe or self._failures >= FAILURES_TO_OPEN:
            cool_down = LONG_COOL_DOWN_SECONDS if lasting else COOL_DOWN_SECONDS
            self._open_until = self._clock() + max(cool_down, error.retry_after or 0.0)
