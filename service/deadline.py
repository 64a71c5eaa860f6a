"""The end of the time a whole request has, where somebody outside sets one: on Lambda, the invocation's."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything in the block, tasks it starts included, has this long."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def within(seconds: float) -> float:
    """That many seconds, or what is left until the deadline if that is less; never below zero."""
    end = _deadline.get()
    return seconds if end is None else max(0.0, min(seconds, end - time.monotonic()))
