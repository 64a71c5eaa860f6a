"""OpenTelemetry's spans of the traces that are sent."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from service import __version__
from telemetry import names
from telemetry.notes import Finished
from telemetry.story import Kind, Span, story_of

_SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT, Kind.INTERNAL: SpanKind.INTERNAL}


def resource_of(service: str) -> Resource:
    """Build the resource from the service's name and OTEL_RESOURCE_ATTRIBUTES."""
    return Resource.create({"service.name": service})


class SpanMaker:
    """Builds the spans of finished traces for the service described by `resource`."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._service = str(resource.attributes.get("service.name", ""))

    def spans(self, finished: Finished) -> list[ReadableSpan]:
        """Return the root span first, then its children."""
        trace_id = finished.trace.trace_id
        root, *others = story_of(finished, self._service)
        return [
            self._span(root, trace_id, is_parent_remote=True),
            *(self._span(span, trace_id, is_parent_remote=False) for span in others),
        ]

    def _span(self, span: Span, trace_id: str, *, is_parent_remote: bool) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(trace_id, span.span_id),
            parent=_context(trace_id, span.parent_id, is_remote=is_parent_remote) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            events=[SpanEvent(moment.name, dict(moment.attributes), moment.at) for moment in span.moments],
            links=[Link(_context(linked, span_id, is_remote=True)) for linked, span_id in span.links],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
            start_time=span.started_at,
            end_time=span.ended_at,
            instrumentation_scope=_SCOPE,
        )


def _context(trace_id: str, span_id: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, _SAMPLED)
