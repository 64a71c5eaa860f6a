"""A queue and a thread for each signal, so that neither traces nor metrics wait for the other or for a request.

A back end that is down, slow or faulty does not slow a request: when a queue is full its oldest item is dropped. What
was not taken is sent again, with pauses, until its time is over. Then it is dropped. All that is lost is counted.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from itertools import count
from typing import Generic, Protocol, TypeVar

from opentelemetry import context as contexts
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from telemetry.events import Unexpected
from telemetry.logs import LogListener, logger
from telemetry.otlp import Watch

Item = TypeVar("Item")
Batch = TypeVar("Batch")
Sent_contra = TypeVar("Sent_contra", contravariant=True)

# Seconds before a batch is sent for the second time; each further pause is twice as long, up to the longest.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0


class _State(Enum):
    WORKS = "telemetry gets through again"
    IN_PART = "telemetry gets through in part"
    FAILS = "telemetry does not get through"


class Exporter(Protocol[Sent_contra]):
    """An exporter of the SDK."""

    def export(self, batch: Sent_contra, /) -> Enum: ...

    def shutdown(self) -> None: ...


class Delivery(Generic[Batch]):
    """One exporter of one signal: sends batches, counts what is lost and logs each change once.

    `seconds` bounds the attempts at one batch. Without a `watch` there is one attempt, because only that can tell
    whether another makes sense.
    """

    def __init__(
        self, signal: str, name: str, exporter: Exporter[Batch], watch: Watch | None = None, *, seconds: float
    ) -> None:
        self._fields = {"signal": signal, "exporter": name}
        self._exporter = exporter
        self._seconds = seconds
        self._watch = watch
        self._state = _State.WORKS
        self.lost = 0

    def deliver(self, batch: Batch, size: int, closing: threading.Event) -> bool:
        """Send a batch of `size` spans or points; whether it was taken, if only in part. Never raises."""
        deadline = time.monotonic() + self._seconds
        for pause in _pauses():
            if self._is_taken(batch):
                rejected = self._watch.rejected if self._watch else 0
                self.lost += rejected
                self._turn(_State.IN_PART if rejected else _State.WORKS, f"{rejected} of {size} were rejected.")
                return True
            reason = self._watch.reason if self._watch else ""
            self._turn(_State.FAILS, f"The back end does not take what is sent: {reason or 'the exporter failed'}.")
            is_late = time.monotonic() + pause > deadline
            if is_late or not (self._watch and self._watch.may_retry) or closing.wait(pause):
                break
        self.lost += size
        return False

    def break_off(self) -> None:
        """Close the connection, even if a batch is under way."""
        self._exporter.shutdown()

    def _is_taken(self, batch: Batch) -> bool:
        try:
            succeeded = self._exporter.export(batch).name == "SUCCESS"
        except Exception as error:  # noqa: BLE001 - our own defect or an exporter's, as on some malformed responses
            LogListener().emit(Unexpected("telemetry", error))
            return False
        return succeeded and not (self._watch and self._watch.reason)

    def _turn(self, state: _State, message: str) -> None:
        if state is self._state:
            return
        self._state = state
        failed = {"error_type": "TelemetryNotSent", "error_message": message} if state is not _State.WORKS else {}
        logger.warning(state.value, extra={"fields": self._fields | failed})


class Sender(Generic[Item, Batch]):
    """The queue and the thread of one signal.

    `batches` makes batches of queued items, with the number of spans or points in each. After `pause` seconds at most
    an item is on its way. `at_end` is called by the thread when all is sent.
    """

    def __init__(
        self,
        signal: str,
        batches: Callable[[Sequence[Item]], Iterable[tuple[Batch, int]]],
        deliveries: Sequence[Delivery[Batch]],
        *,
        size: int,
        at_once: int,
        pause: float,
        at_end: Callable[[], None],
    ) -> None:
        self._batches = batches
        self._deliveries = deliveries
        self._at_once = at_once
        self._pause = pause
        self._at_end = at_end
        self._queue: queue.Queue[Item | None] = queue.Queue(size)  # None at the end
        self._lock = threading.Lock()
        self._unsent = 0  # what did not fit the queue, and what made no batch
        self.delivered = False  # whether an exporter has taken the last batch
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"telemetry {signal}", daemon=True)

    @property
    def lost(self) -> int:
        """How many items, spans or points were lost so far."""
        return self._unsent + sum(delivery.lost for delivery in self._deliveries)

    def start(self) -> None:
        self._thread.start()

    def is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def put(self, item: Item | None) -> None:
        """Queue an item to send, dropping the oldest if the queue is full. Never blocks."""
        while True:
            try:
                return self._queue.put_nowait(item)
            except queue.Full:
                with suppress(queue.Empty):
                    self._queue.get_nowait()
                    self.lose(1)

    def lose(self, number: int) -> None:
        """Count items that will not be sent."""
        with self._lock:
            self._unsent += number

    def close(self) -> None:
        """Let the thread send the rest, with one attempt at each batch."""
        self._closing.set()
        self.put(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def break_off(self) -> None:
        """Close the connections, even if a batch is under way."""
        for delivery in self._deliveries:
            delivery.break_off()

    def _run(self) -> None:
        # Calls that the exporters make are no part of anybody's trace.
        contexts.attach(contexts.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while (first := self._queue.get()) is not None:
            if self._queue.qsize() < self._at_once:
                self._closing.wait(self._pause)
            self._send([first, *self._queued()])
        self._at_end()

    def _queued(self) -> Iterator[Item]:
        with suppress(queue.Empty):
            for _ in range(self._at_once - 1):
                item = self._queue.get_nowait()
                if item is None:
                    self.put(None)  # for `_run`; nothing of interest comes after it
                    return
                yield item

    def _send(self, items: Sequence[Item]) -> None:
        try:
            for batch, size in self._batches(items):
                taken = [delivery.deliver(batch, size, self._closing) for delivery in self._deliveries]
                self.delivered = any(taken)
        except Exception as error:  # noqa: BLE001 - an exception would end the thread and the signal with it
            LogListener().emit(Unexpected("telemetry", error))
            self.lose(len(items))


def _pauses() -> Iterator[float]:
    """Seconds to wait after each failed attempt, with jitter, so that a fleet does not come back at once."""
    for attempt in count():
        yield min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE) * random.uniform(0.8, 1.2)
