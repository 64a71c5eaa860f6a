"""A circuit breaker for each model: after a few failures in a row, the model is not called for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import (
    ModelBreakerOpen,
    ModelCutShort,
    ModelError,
    ModelForbidden,
    ModelGone,
    ModelKeyRejected,
    ModelNotAsked,
    ModelRefused,
    ModelSpendLimitReached,
    ModelTruncated,
)

# Failures are counted in a row, because at low traffic a failure rate has too few calls to mean anything.
FAILURES_TO_OPEN = 3
COOL_DOWN_SECONDS = 30.0
# The cool-down after failures that only the operator can fix.
LONG_COOL_DOWN_SECONDS = 300.0
_FOR_A_PERSON = (ModelSpendLimitReached, ModelKeyRejected, ModelForbidden, ModelGone)


class Breaker:
    """A breaker is closed, open for a time, or half-open: then one call probes the model, and others are refused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the model is being left alone now. A breaker that waits for its probe is no longer open."""
        return self._open_until is not None and self._open_until > self._clock()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Guard one call: count the ModelErrors that it raises. Raises ModelBreakerOpen if it must not be made."""
        probe = self._enter()
        try:
            yield
            self._close()
        except (ModelRefused, ModelTruncated):  # the model works, although it wrote no saying
            self._close()
            raise
        except (ModelNotAsked, ModelCutShort):  # it was we who were slow, so this says nothing about the model
            raise
        except ModelError as error:
            self._count(error, probe=probe)
            raise
        finally:
            if probe:
                self._probing = False

    def _enter(self) -> bool:
        """Whether this call is the probe of a half-open breaker. Raises ModelBreakerOpen."""
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
        cool_down = error.retry_after or 0.0  # a delay that the vendor asks for applies at the first failure
        if isinstance(error, _FOR_A_PERSON):
            cool_down = max(cool_down, LONG_COOL_DOWN_SECONDS)
        elif probe or self._failures >= FAILURES_TO_OPEN:
            cool_down = max(cool_down, COOL_DOWN_SECONDS)
        if cool_down:
            # This never shortens a cool-down, because a call that began before the breaker opened may fail later.
            self._open_until = max(self._open_until or 0.0, self._clock() + cool_down)
