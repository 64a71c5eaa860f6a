"""The trace of a request or round: its ids, whether it is sampled, and the events noted in it so far.

Work that has parts of its own, such as a slot of a comparison, is a step. What is noted during a step is below it. A
step that has not ended when its trace ends is noted as unfinished.

No spans are made while a request runs. The trace notes the events that are emitted anyway, and spans are made from them
only when the request is over and is sampled or worth keeping (an error, a live call). So a request that is not sampled
does not pay for spans, and one that fails is kept although this could not be known when it began.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from weakref import ReferenceType, ref

from telemetry.events import Event, StepTaken

# An id of only zeros is invalid.
_XRAY_ROOT = re.compile(r"(?:^|;)\s*Root=1-(?!0{8}-0{24})([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)")
_XRAY_PARENT = re.compile(r"(?:^|;)\s*Parent=(?!0{16})([0-9a-f]{16})(?:;|$)")
_XRAY_SAMPLED = re.compile(r"(?:^|;)\s*Sampled=([01])(?:;|$)")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

# The system's generator, so that processes that Lambda restores from one snapshot do not make the same ids, and a trace
# that begins does not change the draws of other code.
_ids = random.SystemRandom()

# A trace with more notes comes from a defect or an attack and would not be read.
MOST_NOTES = 200
# The error type of a step that is still under way when its trace ends.
UNFINISHED = "Unfinished"


class Facts(NamedTuple):
    """What a trace tells of its HTTP request. All but the scheme is text of the client, and may be hostile.

    `client` is the client's address, or its network, or "" where it is unknown.
    """

    path: str
    scheme: str
    host: str
    client: str
    user_agent: str


class Asked(Protocol):
    """A request that can tell about itself."""

    def facts(self) -> Facts: ...


class Note(NamedTuple):
    """An event, when it was emitted (nanoseconds since the epoch), and the id of the span that it is below.

    `parent_id` is empty below the root, whose id most traces never need.
    """

    at: int
    event: Event
    parent_id: str


@dataclass(slots=True)
class Added:
    """What other libraries have added to one of our spans, in OpenTelemetry's terms."""

    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, int, Mapping[str, Any]]] = field(default_factory=list)
    links: list[Any] = field(default_factory=list)
    name: str = ""
    status: Any = None


class Trace:
    """One request or round.

    `trace_id` has 32 hex digits; `parent_id` is the caller's span, 16 hex digits or empty; `asked` is the caller's
    sampling decision, None if it made none; `is_callers` says that the id is the caller's. `sampled` is our decision,
    None until somebody needs it (telemetry/sampling.py). Events after the end of the trace (a key refreshed in the
    background) are not noted. `request` is a weak reference, because a request holds its connection, whose task holds
    the trace.
    """

    __slots__ = (
        "_span_id", "_under_way", "added", "asked", "ended_at", "facts", "is_callers", "notes", "parent_id", "request",
        "sampled", "trace_id",
    )  # fmt: skip

    def __init__(
        self, trace_id: str, parent_id: str = "", asked: bool | None = None, *, is_callers: bool = False
    ) -> None:
        self.trace_id = trace_id
        self.parent_id = parent_id
        self.asked = asked
        self.is_callers = is_callers
        self.sampled: bool | None = None
        self.added: dict[str, Added] | None = None  # by the span's id; most traces have none
        self.ended_at = 0
        self.notes: list[Note] = []
        self.request: ReferenceType[Asked] | None = None
        self.facts: Facts | None = None
        self._span_id = ""
        self._under_way: dict[str, _UnderWay] | None = None

    @property
    def span_id(self) -> str:
        """The id of the root span, made when first asked for, because most traces are never sent."""
        if not self._span_id:
            self._span_id = new_span_id()
        return self._span_id

    def note(self, event: Event) -> None:
        if not self.ended_at and len(self.notes) < MOST_NOTES:
            self.notes.append(Note(time.time_ns(), event, _step.get()))

    def begin_step(self, span_id: str, name: str, model: str) -> None:
        if self._under_way is None:
            self._under_way = {}
        self._under_way[span_id] = _UnderWay(name, model, _step.get(), time.perf_counter())

    def end_step(self, span_id: str) -> None:
        if self._under_way:
            self._under_way.pop(span_id, None)

    def end(self) -> None:
        self.ended_at = time.time_ns()
        for span_id, (name, model, parent_id, started) in (self._under_way or {}).items():
            step = StepTaken(name, span_id, _milliseconds_since(started), model, UNFINISHED)
            self.notes.append(Note(self.ended_at, step, parent_id))
        self._under_way = None

    def recall(self) -> None:
        """Keep the facts of the request, while there is one. This is for the traces that are kept: most are not."""
        request = None if self.request is None else self.request()
        if request is not None:
            self.facts = request.facts()


class Bridge(Protocol):
    """Shows the current trace to other libraries."""

    def begin(self, trace: Trace, headers: Mapping[str, str]) -> None:
        """Show the root of a request with these headers, until another begins."""

    def enter(self, trace: Trace, span_id: str) -> Any:
        """Show a span of the trace, or its root if the id is empty; returns what `leave` needs."""

    def leave(self, token: Any) -> None:
        """Show what was shown before."""


# It is set while OpenTelemetry's providers are registered (telemetry/current_span.py).
bridge: Bridge | None = None


class _UnderWay(NamedTuple):
    """A step that has begun, at a time of `time.perf_counter`."""

    name: str
    model: str
    parent_id: str
    started: float


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
# The span id of the step that the current work belongs to, empty if it belongs to the root.
_step: ContextVar[str] = ContextVar("step", default="")
# Returns the trace of the current work, or None outside of any.
current: Callable[[], Trace | None] = _current.get


def begin(headers: Mapping[str, str], request: Asked | None = None) -> Trace:
    """Begin the trace of a request: it continues that of `X-Amzn-Trace-Id` or `traceparent`, else it is a new one."""
    trace = _callers(headers) or new_trace()
    trace.request = None if request is None else ref(request)
    _current.set(trace)
    _step.set("")
    if bridge is not None:
        bridge.begin(trace, headers)
    return trace


@contextmanager
def work() -> Iterator[Trace]:
    """Run work that belongs to no request in the trace that Lambda began for the invocation, else in a new one."""
    trace = _current.get() or new_trace()
    token = _current.set(trace)
    try:
        with _shown(trace, ""):
            yield trace
    finally:
        _current.reset(token)


@contextmanager
def below(span_id: str, name: str, model: str = "") -> Iterator[None]:
    """Note what happens meanwhile below the span with this id, which the caller notes when it has ended.

    If the trace ends before that, a step with this name and model is noted as unfinished in its place.
    """
    trace = _current.get()
    if trace is not None:
        trace.begin_step(span_id, name, model)
    token = _step.set(span_id)
    try:
        with _shown(trace, span_id):
            yield
    finally:
        _step.reset(token)
        if trace is not None:
            trace.end_step(span_id)


@contextmanager
def _shown(trace: Trace | None, span_id: str) -> Iterator[None]:
    shown_by = bridge
    if shown_by is None or trace is None:
        yield
        return
    token = shown_by.enter(trace, span_id)
    try:
        yield
    finally:
        shown_by.leave(token)


@contextmanager
def step(name: str, model: str = "") -> Iterator[None]:
    """Do a part of the current trace's work. Outside of any trace this does nothing."""
    trace = _current.get()
    if trace is None:
        yield
        return
    span_id, started, error_type = new_span_id(), time.perf_counter(), ""
    try:
        with below(span_id, name, model):
            yield
    except BaseException as error:
        error_type = type(error).__name__
        raise
    finally:
        trace.note(StepTaken(name, span_id, _milliseconds_since(started), model, error_type))


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def new_trace() -> Trace:
    return Trace(f"{int(time.time()):08x}{_ids.getrandbits(96):024x}")


def new_span_id() -> str:
    return f"{_ids.getrandbits(64) or 1:016x}"


def new_generation_id() -> str:
    """Return 48 hex digits: the id of the current trace and of the call's span, so that votes can be linked to it."""
    trace = _current.get() or new_trace()
    return trace.trace_id + new_span_id()


def xray_form(trace_id: str) -> str:
    """Return the trace id in X-Ray's notation, `1-` 8 hex digits `-` 24 hex digits."""
    return f"1-{trace_id[:8]}-{trace_id[8:]}"


def outgoing_header() -> str:
    """Return the `X-Amzn-Trace-Id` by which a call continues this trace below the current span, "" outside of any."""
    trace = _current.get()
    if trace is None:
        return ""
    decided = trace.asked if trace.sampled is None else trace.sampled
    sampled = "" if decided is None else f";Sampled={int(decided)}"
    return f"Root={xray_form(trace.trace_id)};Parent={_step.get() or trace.span_id}{sampled}"


def keep() -> None:
    """Ask that the current trace is kept, unless its caller has decided. A sampler that is off keeps it off."""
    trace = _current.get()
    if trace is not None and trace.asked is None:
        trace.asked = True


def _callers(headers: Mapping[str, str]) -> Trace | None:
    """Read the trace from the caller's headers, None without a valid one.

    A load balancer adds an X-Ray root of its own to every request without that header, so that an X-Ray header without
    a parent gives way to a W3C `traceparent`.
    """
    xray, w3c = headers.get("X-Amzn-Trace-Id"), headers.get("traceparent")
    by_xray = of_xray_header(xray) if xray else None
    by_w3c = _w3c_callers(w3c) if w3c else None
    return by_xray if by_xray and (by_xray.parent_id or not by_w3c) else by_w3c


def of_xray_header(header: str) -> Trace | None:
    root, parent, sampled = _XRAY_ROOT.search(header), _XRAY_PARENT.search(header), _XRAY_SAMPLED.search(header)
    if root is None:
        return None
    asked = sampled[1] == "1" if sampled else None
    return Trace(root[1] + root[2], parent[1] if parent else "", asked, is_callers=True)


def _w3c_callers(header: str) -> Trace | None:
    found = _TRACEPARENT.fullmatch(header)
    return Trace(found[1], found[2], bool(int(found[3], 16) & 1), is_callers=True) if found else None
