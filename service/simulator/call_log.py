"""Records the calls that reach the simulator: those that are over, and those that are still open."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.simulator.faults import FaultKind

MAX_CALLS = 10_000

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """One call that is over. Tokens are 0 if none were used; `status` is None if no answer was begun."""

    model: str  # the id in the catalogue; the name that was sent if that is unknown, "" if there was none
    vendor: str
    status: int | None
    started: float  # monotonic, like `finished`
    finished: float
    input_tokens: int
    output_tokens: int
    max_tokens: int | None
    latency: float  # seconds that the simulator waited in the model's place
    fault: FaultKind | None
    cancelled: bool  # because the client closed its connection


@dataclass(slots=True, eq=False)
class OpenCall:
    """A call that is not over yet. The fields are filled in as they become known."""

    vendor: str
    started: float
    task: asyncio.Task[object] | None
    model: str = ""
    status: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    max_tokens: int | None = None
    latency: float = 0.0
    fault: FaultKind | None = None
    cancelled: bool = False
    stopped: bool = False  # because the server shuts down

    def finished(self) -> SimulatedCall:
        return SimulatedCall(
            model=self.model,
            vendor=self.vendor,
            status=self.status,
            started=self.started,
            finished=time.monotonic(),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            max_tokens=self.max_tokens,
            latency=self.latency,
            fault=self.fault,
            cancelled=self.cancelled,
        )


class CallLog:
    """Keeps the latest calls. It remembers `MAX_CALLS` of them and forgets the older ones."""

    def __init__(self) -> None:
        self.finished: deque[SimulatedCall] = deque(maxlen=MAX_CALLS)
        self.most_open = 0
        self._open: list[OpenCall] = []
        self._changed = asyncio.Event()

    @property
    def open(self) -> int:
        return len(self._open)

    @contextmanager
    def record(self, vendor: str) -> Iterator[OpenCall]:
        """Count a call as open while the block runs, and record it at the end."""
        call = OpenCall(vendor, time.monotonic(), asyncio.current_task())
        self._open.append(call)
        self.most_open = max(self.most_open, self.open)
        self._notify()
        try:
            yield call
        except asyncio.CancelledError:
            call.cancelled = not call.stopped
            raise
        finally:
            self._open.remove(call)
            self.finished.append(call.finished())
            self._notify()

    def stop_open_calls(self) -> None:
        for call in self._open:
            call.stopped = True
            if call.task:
                call.task.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds. It is checked again whenever a call begins or ends.

        Raises TimeoutError when it does not hold for very long, so that a test that waits in vain ends.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
