"""The record of what was asked of the simulator, and what is being asked of it now."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.simulator.faults import FaultKind

MAX_CALLS = 10_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it went. Tokens are 0 where none were used; `status` is None where no answer began."""

    model: str  # the id in the catalogue; what was sent if that is unknown, "" if nothing was
    vendor: str
    status: int | None
    started: float  # monotonic, as `finished`
    finished: float
    input_tokens: int
    output_tokens: int
    max_tokens: int | None
    latency: float  # seconds that the model was made to take
    fault: FaultKind | None
    cancelled: bool  # by the client, who went away


@dataclass(slots=True, eq=False)
class Draft:
    """A call that is not over yet."""

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
    stopped: bool = False  # by the server, which shuts down

    def finished(self) -> Call:
        return Call(
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
    def __init__(self) -> None:
        self.finished: deque[Call] = deque(maxlen=MAX_CALLS)
        self.most_open = 0
        self._open: list[Draft] = []
        self._changed = asyncio.Event()

    @property
    def open(self) -> int:
        return len(self._open)

    @contextmanager
    def record(self, vendor: str) -> Iterator[Draft]:
        draft = Draft(vendor, time.monotonic(), asyncio.current_task())
        self._open.append(draft)
        self.most_open = max(self.most_open, self.open)
        self._tell()
        try:
            yield draft
        except asyncio.CancelledError:
            draft.cancelled = not draft.stopped
            raise
        finally:
            self._open.remove(draft)
            self.finished.append(draft.finished())
            self._tell()

    def stop_open_calls(self) -> None:
        for draft in self._open:
            draft.stopped = True
            if draft.task:
                draft.task.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
