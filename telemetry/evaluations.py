"""Votes as OpenTelemetry's evaluation events: log records of the span of the call that wrote the saying.

They are sent only if OTEL_LOGS_EXPORTER is `otlp`. Neither the voter nor the text of the saying is in them.
"""

import asyncio
import time
from collections.abc import Sequence

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from telemetry import __version__, names
from telemetry.events import Event, VoteTaken
from telemetry.otel_settings import OtelSettings
from telemetry.otlp import log_exporter
from telemetry.sending import Delivery, Sender
from telemetry.spans import resource_of
from telemetry.story import evaluation_of, generation_of

LOGS = "logs"


class Evaluations:
    """A listener that queues the event of each new opinion on a generated saying. A thread of its own sends them."""

    def __init__(self, settings: OtelSettings) -> None:
        resource = resource_of(settings.service_name, settings.resource_attributes)
        provider, batching = LoggerProvider(resource, shutdown_on_exit=False), settings.logs_batching
        exporter, watch = log_exporter(settings.logs)
        self._sender: Sender[ReadableLogRecord, Sequence[ReadableLogRecord]] = Sender(
            LOGS,
            lambda records: [(records, len(records))],
            [Delivery(LOGS, "otlp", exporter, watch, seconds=batching.export_timeout)],
            size=batching.max_queue_size,
            at_once=batching.max_export_batch_size,
            pause=batching.schedule_delay,
            at_end=provider.shutdown,
        )
        provider.add_log_record_processor(_Queue(self._sender))
        self._sender.start()
        self._logger = provider.get_logger(names.SCOPE, __version__, names.SCHEMA_URL)

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
        self._sender.close()
        await asyncio.to_thread(self._sender.join, seconds)
        self._sender.break_off()


class _Queue(LogRecordProcessor):
    """Queues log records to send."""

    def __init__(self, sender: Sender[ReadableLogRecord, Sequence[ReadableLogRecord]]) -> None:
        self._sender = sender

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        resource = log_record.resource or Resource.get_empty()
        self._sender.put(ReadableLogRecord(log_record.log_record, resource, log_record.instrumentation_scope))

    def shutdown(self) -> None:
        """Do nothing: the sender is closed by itself."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def _context(trace_id: str, span_id: str) -> Context:
    span = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(span), Context())
