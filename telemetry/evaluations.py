"""Votes as OpenTelemetry's evaluation events: log records of the span of the call that wrote the saying.

They are sent only if OTEL_LOGS_EXPORTER is `otlp`. Neither the voter nor the text of the saying is in them.
"""

import asyncio
import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from service import __version__
from telemetry import names
from telemetry.events import Event, VoteTaken
from telemetry.story import evaluation_of, generation_of


class Evaluations:
    """A listener that queues the event of each new opinion on a generated saying. A thread of the SDK sends them."""

    def __init__(self, exporter: LogRecordExporter, resource: Resource) -> None:
        self._provider = LoggerProvider(resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._logger = self._provider.get_logger(names.SCOPE, __version__, names.SCHEMA_URL)

    def emit(self, event: Event) -> None:
        if not isinstance(event, VoteTaken) or event.status == "unchanged":
            return
        generation = generation_of(event)
        if generation is None:
            return
        self._logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                context=_context(*generation),
                severity_number=SeverityNumber.INFO,
                event_name=names.EVALUATION,
                attributes=evaluation_of(event),
            )
        )

    async def close(self, seconds: float) -> None:
        """Send the rest, waiting at most that many seconds."""
        closing = asyncio.create_task(asyncio.to_thread(self._provider.shutdown))
        await asyncio.wait({closing}, timeout=seconds)


def _context(trace_id: str, span_id: str) -> Context:
    span = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(span), Context())
