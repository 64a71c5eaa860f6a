"""Our spans as OpenTelemetry's current span, so that spans, baggage and calls of other libraries join our traces.

While a request runs we have no span of the SDK: it is made when the request is over, if it is kept. What OpenTelemetry
sees until then is a `CurrentSpan`, which only refers to our trace. What others add to it goes into the span made later.
"""

import time
from collections.abc import Mapping
from contextvars import Token
from types import MappingProxyType

from opentelemetry import context as contexts
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.util.types import Attributes, AttributeValue

from telemetry import names
from telemetry.logs import stack_of
from telemetry.sampling import Sampler
from telemetry.traces import Added, Trace

# What `traces.begin` reads by itself.
_READ_ALREADY = frozenset({"traceparent", "tracestate", "x-amzn-trace-id"})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_NO_CONTEXT = Context()
_FLAGS = {True: TraceFlags(TraceFlags.SAMPLED), False: TraceFlags(TraceFlags.DEFAULT)}


class CurrentSpan(Span):
    """A span of ours that others may add to; it records while its trace is sampled and has not ended."""

    def __init__(self, sampler: Sampler, trace: Trace, span_id: str, headers: Mapping[str, str]) -> None:
        self._sampler = sampler
        self._trace = trace
        self._span_id = span_id
        self._headers = headers

    def get_span_context(self) -> SpanContext:
        trace = self._trace
        flags, state = _FLAGS[self._sampler.samples(trace)], _state(trace, self._headers)
        return SpanContext(int(trace.trace_id, 16), int(self._span_id or trace.span_id, 16), False, flags, state)

    def is_recording(self) -> bool:
        return not self._trace.ended_at and self._sampler.samples(self._trace)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self.is_recording():
            self._added.attributes.update(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        if self.is_recording():
            self._added.events.append((name, timestamp or time.time_ns(), dict(attributes or {})))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        if self.is_recording():
            self._added.links.append(Link(context, attributes))

    def update_name(self, name: str) -> None:
        if self.is_recording():
            self._added.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Keep the status, but no description: `use_span` writes the text of an exception there."""
        code = status.status_code if isinstance(status, Status) else status
        if self.is_recording() and code is not StatusCode.UNSET:
            self._added.status = code

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add the type and the stack of an exception. Its text stays away, as in our logs: it may hold a key."""
        known = {names.EXCEPTION_TYPE: type(exception).__name__, names.EXCEPTION_STACK: stack_of(exception)}
        self.add_event("exception", {**known, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the span ends with the work that it is for."""

    @property
    def _added(self) -> Added:
        added = self._trace.added = self._trace.added or {}
        return added.setdefault(self._span_id or self._trace.span_id, Added())


class OpenTelemetryBridge:
    """Attaches our spans to OpenTelemetry's context. It is `traces.bridge` while providers are registered."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        fields = propagate.get_global_textmap().fields
        self._fields = tuple(field for field in fields if field.lower() not in _READ_ALREADY)

    def begin(self, trace: Trace, headers: Mapping[str, str]) -> None:
        context = _NO_CONTEXT
        for field in self._fields:  # not any(…), which is slower: this runs for every request
            if field in headers:
                context = propagate.extract(headers, _NO_CONTEXT)
                break
        contexts.attach(set_span_in_context(CurrentSpan(self._sampler, trace, "", headers), context))

    def enter(self, trace: Trace, span_id: str) -> Token[Context]:
        if not span_id and trace.sampled is None and not trace.is_callers and self._sampler.keeps_unsampled:
            trace.sampled = True  # work that belongs to no request is always kept
        return contexts.attach(set_span_in_context(CurrentSpan(self._sampler, trace, span_id, _NO_HEADERS)))

    def leave(self, token: Token[Context]) -> None:
        contexts.detach(token)


def _state(trace: Trace, headers: Mapping[str, str]) -> TraceState | None:
    """The caller's `tracestate`, which belongs to its `traceparent`."""
    state = headers.get("tracestate")
    return TraceState.from_header([state]) if state and trace.trace_id in headers.get("traceparent", "") else None
