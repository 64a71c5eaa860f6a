"""Sends spans to the X-Ray daemon that Lambda runs beside a function: OTLP over UDP, without a collector layer."""

import base64
import socket
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from telemetry import names

# The attributes that X-Ray indexes. Without a collector to configure them, each span lists its own. A test checks that
# the collector's file has the same names.
ANNOTATIONS = (
    names.OPERATION,
    names.HTTP_ROUTE,
    names.PROVIDER,
    names.REQUEST_MODEL,
    names.ERROR_TYPE,
    names.ERROR_CODE,
    names.ORIGIN,
)

_HEADER = b'{"format":"json","version":1}\nT1S'  # T1S: a trace in version 1, sampled
_MOST_BYTES = 64_000


class XRayUdpExporter(SpanExporter):
    """Sends spans without waiting for a confirmation.

    `address` is the `AWS_XRAY_DAEMON_ADDRESS`, in the form host:port. Raises ValueError if it has another form.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host or "127.0.0.1", int(port))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        datagram = _datagram(spans)
        if len(datagram) > _MOST_BYTES and len(spans) > 1:
            middle = len(spans) // 2
            halves = (self.export(spans[:middle]), self.export(spans[middle:]))
            return max(halves, key=lambda result: result.value)
        try:
            self._socket.sendto(datagram, self._address)
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._socket.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def _datagram(spans: Sequence[ReadableSpan]) -> bytes:
    request = encode_spans(spans)
    _annotate(request)
    return _HEADER + base64.b64encode(request.SerializeToString())


def _annotate(request: ExportTraceServiceRequest) -> None:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                has = {attribute.key for attribute in span.attributes}
                if indexed := [name for name in ANNOTATIONS if name in has]:
                    values = span.attributes.add(key=names.XRAY_ANNOTATIONS).value.array_value.values
                    for name in indexed:
                        values.add(string_value=name)
