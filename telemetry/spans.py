"""OpenTelemetry's spans of the traces that are sent."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from telemetry import __version__, names
from telemetry.notes import Finished
from telemetry.otel_settings import Limits
from telemetry.story import Kind, Span, story_of
from telemetry.traces import Added

_SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT, Kind.INTERNAL: SpanKind.INTERNAL}
_NOTHING_ADDED = Added()


def resource_of(service: str, attributes: Mapping[str, str] | None = None) -> Resource:
    """Build the resource from the service's name and its attributes, or else those of OTEL_RESOURCE_ATTRIBUTES."""
    return Resource.create({**(attributes or {}), "service.name": service})


def span_limits(limits: Limits) -> SpanLimits:
    """The limits as the SDK takes them."""

    def length(most: int | None) -> int:
        return SpanLimits.UNSET if most is None else most

    return SpanLimits(
        max_attributes=limits.attributes,
        max_events=limits.events,
        max_links=limits.links,
        max_span_attributes=limits.span_attributes,
        max_event_attributes=limits.event_attributes,
        max_link_attributes=limits.link_attributes,
        max_attribute_length=length(limits.attribute_length),
        max_span_attribute_length=length(limits.span_attribute_length),
    )


class _KeptSpan(SdkSpan):
    """A span that is made when its work is over, with the ids that it has had all along, and so without a tracer."""


class SpanMaker:
    """Makes the spans of finished traces, passes them through a processor as a tracer does, and returns them."""

    def __init__(
        self, resource: Resource, processor: SpanProcessor | None = None, limits: SpanLimits | None = None
    ) -> None:
        self._resource = resource
        self._service = str(resource.attributes.get("service.name", ""))
        self._processor = processor or SpanProcessor()
        self._limits = limits or SpanLimits()

    def spans(self, finished: Finished) -> list[ReadableSpan]:
        """Return the root span first, then its children."""
        trace = finished.trace
        added = trace.added or {}
        root, *others = story_of(finished, self._service)
        return [
            self._span(root, trace.trace_id, added, is_parent_remote=True),
            *(self._span(span, trace.trace_id, added, is_parent_remote=False) for span in others),
        ]

    def _span(self, span: Span, trace_id: str, added: Mapping[str, Added], *, is_parent_remote: bool) -> ReadableSpan:
        others = added.get(span.span_id, _NOTHING_ADDED)
        parent = _context(trace_id, span.parent_id, is_remote=is_parent_remote) if span.parent_id else None
        made = _KeptSpan(
            name=others.name or span.name,
            context=_context(trace_id, span.span_id),
            parent=parent,
            resource=self._resource,
            # Ours are true whatever others say.
            attributes={**others.attributes, **span.attributes},
            links=[*(Link(_context(linked, id_, is_remote=True)) for linked, id_ in span.links), *others.links],
            kind=_KINDS[span.kind],
            span_processor=self._processor,
            limits=self._limits,
            instrumentation_scope=_SCOPE,
        )
        made.start(span.started_at, set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context())
        events: list[tuple[str, int, Mapping[str, Any]]] = [
            *((moment.name, moment.at, moment.attributes) for moment in span.moments),
            *others.events,
        ]
        for name, at, attributes in events:
            made.add_event(name, dict(attributes), at)
        if span.failed or others.status is not None:
            made.set_status(StatusCode.ERROR if span.failed else others.status)
        made.end(span.ended_at)
        return made


def _context(trace_id: str, span_id: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, _SAMPLED)
