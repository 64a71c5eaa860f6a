"""A circuit breaker per model: after a few failures in a row nobody waits for that model for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import (
    ModelBreakerOpen,
    ModelError,
    ModelForbidden,
    ModelGone,
    ModelKeyRejected,
    ModelNotAsked,
    ModelRefused,
    ModelSpendLimitReached,
    ModelTruncated,
)

# In a row rather than as a rate: at low traffic a rate never has enough calls to mean anything.
FAILURES_TO_OPEN = 3
COOL_DOWN_SECONDS = 30.0
# For what only a person can mend.
LONG_COOL_DOWN_SECONDS = 300.0
_FOR_A_PERSON = (ModelSpendLimitReached, ModelKeyRejected, ModelForbidden, ModelGone)


class Breaker:
    """Closed, open until a moment, then half-open: one call tries while the others are still turned away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around a call. Raises ModelBreakerOpen instead of calling; counts the ModelErrors that come out."""
        probe = self._enter()
        try:
            yield
            self._close()
        except (ModelRefused, ModelTruncated):  # the model answers, if not as one would like
            self._close()
            raise
        except ModelNotAsked:  # which says nothing about the model
            raise
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

    def _close(self) -> None:
        self._failures = 0
        self._open_until = None

    def _count(self, error: ModelError, *, probe: bool) -> None:
        self._failures += 1
        cool_down = error.retry_after or 0.0  # what the vendor asks for is granted at once
        if isinstance(error, _FOR_A_PERSON):
            cool_down = max(cool_down, LONG_COOL_DOWN_SECONDS)
        elif probe or self._failures >= FAILURES_TO_OPEN:
            cool_down = max(cool_down, COOL_DOWN_SECONDS)
        if cool_down:
            # Never earlier than it is already: a call that began before may fail after.
            self._open_until = max(self._open_until or 0.0, self._clock() + cool_down)
