"""How our context leaves with calls of other libraries, by OTEL_PROPAGATORS.

What comes in is read by telemetry/traces.py, which knows `traceparent` and `X-Amzn-Trace-Id` without OpenTelemetry.
"""

from importlib.metadata import entry_points
from typing import Any

from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from telemetry import traces
from telemetry.otel_settings import PROPAGATORS

_HEADER = "X-Amzn-Trace-Id"


def propagator(names: tuple[str, ...]) -> TextMapPropagator:
    """The propagators of these names as one."""
    return CompositePropagator([_of_name(name) for name in names])


def _of_name(name: str) -> TextMapPropagator:
    found = entry_points(group=PROPAGATORS, name=name)
    loaded: Any = next(iter(found)).load() if found else XRayPropagator  # the names have been checked
    made: TextMapPropagator = loaded()
    return made


class XRayPropagator(TextMapPropagator):
    """Reads and writes X-Ray's header, for `xray` without the package that OpenTelemetry has for it."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        context = Context() if context is None else context
        found = getter.get(carrier, _HEADER) or getter.get(carrier, _HEADER.lower())
        trace = traces.of_xray_header(found[0]) if found else None
        if trace is None or not trace.parent_id:
            return context
        flags = TraceFlags(TraceFlags.SAMPLED if trace.asked else TraceFlags.DEFAULT)
        parent = SpanContext(int(trace.trace_id, 16), int(trace.parent_id, 16), True, flags)
        return set_span_in_context(NonRecordingSpan(parent), context)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        span = get_current_span(context).get_span_context()
        if span.is_valid:
            root, parent = traces.xray_form(format_trace_id(span.trace_id)), format_span_id(span.span_id)
            setter.set(carrier, _HEADER, f"Root={root};Parent={parent};Sampled={int(span.trace_flags.sampled)}")

    @property
    def fields(self) -> set[str]:
        return {_HEADER}
