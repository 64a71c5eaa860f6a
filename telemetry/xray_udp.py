"""Sends traces to the X-Ray daemon that Lambda runs beside a function: OTLP over UDP, without a collector layer."""

import base64
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from telemetry import names
from telemetry.otlp_bytes import export_requests
from telemetry.story import Span

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
# A datagram takes 64,000 bytes, and base64 makes four of three.
_MOST_BYTES = 47_900


class XRayDaemon:
    """Sends the traces of a process without waiting for a confirmation.

    `address` is the `AWS_XRAY_DAEMON_ADDRESS`, in the form host:port. Raises ValueError if it has another form.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host or "127.0.0.1", int(port))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, trace_id: str, spans: Iterable[Span], resource: Mapping[str, Any]) -> bool:
        """Send a trace in as many datagrams as it needs. Returns whether all of them have left."""
        requests = export_requests(trace_id, map(_annotated, spans), resource, most_bytes=_MOST_BYTES)
        sent = [self._send(_HEADER + base64.b64encode(request)) for request in requests]
        return all(sent)

    def _send(self, datagram: bytes) -> bool:
        try:
            self._socket.sendto(datagram, self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


def _annotated(span: Span) -> Span:
    indexed = tuple(name for name in ANNOTATIONS if name in span.attributes)
    return replace(span, attributes={**span.attributes, names.XRAY_ANNOTATIONS: indexed}) if indexed else span
