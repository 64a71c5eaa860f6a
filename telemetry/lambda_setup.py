"""Telemetry of a Lambda function: logs and metrics (EMF) on stdout, traces over UDP to the X-Ray daemon beside it.

During an invocation events are only noted. `load` imports OpenTelemetry and protobuf, during a later request and only
when there is a trace to send, so that they do not slow a cold start.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from telemetry.emf import emf_lines
from telemetry.events import Listener, Listeners, Unexpected
from telemetry.logs import LogListener, logger
from telemetry.metrics import Metrics
from telemetry.notes import Finished, NoteTaker
from telemetry.otel_settings import read_otel_settings, without_effect_on_lambda
from telemetry.sampling import Sampler, Trust

if TYPE_CHECKING:
    from telemetry.spans import SpanMaker
    from telemetry.xray_udp import XRayUdpExporter

# The most traces that wait for `load`; when one more finishes, the oldest is dropped.
MOST_TRACES = 64


class LambdaTelemetry:
    """The telemetry of a function: emit events to its `listener`.

    Call `flush` at the end of every invocation and `load` in the upkeep.
    """

    def __init__(self, environ: Mapping[str, str], stdout: TextIO | None = None) -> None:
        settings = read_otel_settings(environ)
        self._service = settings.service_name
        self._daemon = environ.get("AWS_XRAY_DAEMON_ADDRESS", "")
        self._stdout = stdout
        self._metrics = Metrics()
        self._finished: deque[Finished] = deque()
        self._sender: tuple[SpanMaker, XRayUdpExporter] | None = None
        self._logs = LogListener()
        self.listener: Listener = self._logs
        if not settings.disabled:
            sampler = Sampler(settings, Trust.PLATFORM)
            notes = [NoteTaker(sampler, keep=self._keep)] if self._daemon else []
            self.listener = Listeners(self._logs, self._metrics, *notes)

    def flush(self) -> None:
        """Write the metrics and, once `load` has been called, send the traces. Never raises."""
        try:
            self._send_traces()
            self._write_metrics()
        except Exception as error:  # noqa: BLE001 - telemetry must not cost the client its response
            self._logs.emit(Unexpected("telemetry", error))

    async def load(self) -> None:
        """Import the modules that send traces if one is waiting, off the event loop: it takes a quarter of a second."""
        if self._finished and self._sender is None:
            self._sender = await asyncio.to_thread(self._open)

    def _keep(self, finished: Finished) -> None:
        if len(self._finished) == MOST_TRACES:
            self._finished.popleft()
            self._metrics.count_dropped(1)
        self._finished.append(finished)

    def _open(self) -> "tuple[SpanMaker, XRayUdpExporter]":
        from telemetry.spans import SpanMaker, resource_of
        from telemetry.xray_udp import XRayUdpExporter

        return SpanMaker(resource_of(self._service)), XRayUdpExporter(self._daemon)

    def _send_traces(self) -> None:
        if self._sender is None or not self._finished:
            return
        maker, exporter = self._sender
        finished, self._finished = self._finished, deque()
        result = exporter.export([span for trace in finished for span in maker.spans(trace)])
        if result.name != "SUCCESS":
            self._metrics.count_dropped(len(finished))

    def _write_metrics(self) -> None:
        lines = [f"{line}\n" for line in emf_lines(self._metrics.take(), self._service)]
        if lines:
            stdout = self._stdout or sys.stdout
            stdout.write("".join(lines))
            stdout.flush()

    def close(self) -> None:
        """Close the socket. Tests call this; Lambda never does."""
        if self._sender is not None:
            self._sender[1].shutdown()


def open_lambda_telemetry(environ: Mapping[str, str]) -> LambdaTelemetry:
    """Set telemetry up by the OTEL_* variables and by AWS_XRAY_DAEMON_ADDRESS, which Lambda sets."""
    if names := without_effect_on_lambda(environ):
        said = {"error_message": f"A function does not use {', '.join(names)}."}
        logger.warning("variables have no effect on Lambda", extra={"fields": said})
    return LambdaTelemetry(environ)
