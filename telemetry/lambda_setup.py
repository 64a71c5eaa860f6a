"""Telemetry of a Lambda function: logs and metrics (EMF) on stdout, traces over UDP to the X-Ray daemon beside it.

During an invocation events are only noted. All of them leave at its end, without any import of OpenTelemetry, because
an environment may answer a single request and never run again.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TextIO

from telemetry import names
from telemetry.emf import emf_lines
from telemetry.events import Listener, Listeners, Unexpected
from telemetry.logs import LogListener, logger
from telemetry.metrics import Metrics
from telemetry.notes import Finished, NoteTaker
from telemetry.otel_settings import read_otel_settings, without_effect_on_lambda
from telemetry.sampling import Sampler, Trust
from telemetry.story import story_of
from telemetry.xray_udp import XRayDaemon

_MEGABYTE = 1024 * 1024


class LambdaTelemetry:
    """The telemetry of a function: emit events to its `listener`.

    Call `begin` at the start of every invocation and `flush` at its end.
    """

    def __init__(
        self, environ: Mapping[str, str], stdout: TextIO | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        settings = read_otel_settings(environ)
        self._service = settings.service_name
        self._resource = function_resource(environ)
        self._invocation: dict[str, Any] = {}
        self._is_cold = True
        self._stdout = stdout
        self._metrics = Metrics(clock)
        self._finished: list[Finished] = []
        self._daemon: XRayDaemon | None = None
        self._logs = LogListener()
        self.listener: Listener = self._logs
        if not settings.disabled:
            notes: list[Listener] = []
            if address := environ.get("AWS_XRAY_DAEMON_ADDRESS"):
                self._daemon = XRayDaemon(address)
                notes.append(NoteTaker(Sampler(settings, Trust.PLATFORM), keep=self._finished.append))
            self.listener = Listeners(self._logs, self._metrics, *notes)

    def begin(self, request_id: str, function_arn: str) -> None:
        """Begin an invocation with the id that Lambda gives it, of the function by the name it was invoked with."""
        self._invocation = {names.FAAS_INVOCATION_ID: request_id, names.FAAS_COLDSTART: self._is_cold}
        self._is_cold = False
        self._resource |= resource_by_arn(function_arn, self._resource.get(names.FAAS_VERSION, ""))

    def flush(self) -> None:
        """Send the traces and write the metrics of the invocation. Never raises."""
        try:
            self._send_traces()
            self._write_metrics()
        except Exception as error:  # noqa: BLE001 - telemetry must not cost the client its response
            self._logs.emit(Unexpected("telemetry", error))

    def _send_traces(self) -> None:
        finished = self._finished.copy()
        self._finished.clear()
        for each in finished:
            root, *others = story_of(each, self._service)
            spans = [replace(root, attributes={**root.attributes, **self._invocation}), *others]
            if self._daemon is not None and not self._daemon.send(each.trace.trace_id, spans, self._resource):
                self._metrics.count_dropped(1)

    def _write_metrics(self) -> None:
        lines = [f"{line}\n" for line in emf_lines(self._metrics.take(), self._service)]
        if lines:
            stdout = self._stdout or sys.stdout
            stdout.write("".join(lines))
            stdout.flush()

    def close(self) -> None:
        """Close the socket. Tests call this; Lambda never does."""
        if self._daemon is not None:
            self._daemon.close()


def open_lambda_telemetry(environ: Mapping[str, str]) -> LambdaTelemetry:
    """Set telemetry up by the OTEL_* variables and by those that Lambda sets."""
    if unused := without_effect_on_lambda(environ):
        said = {"error_message": f"A function does not use {', '.join(unused)}."}
        logger.warning("variables have no effect on Lambda", extra={"fields": said})
    return LambdaTelemetry(environ)


def function_resource(environ: Mapping[str, str]) -> dict[str, Any]:
    """The attributes of the function, by Lambda's variables; those in OTEL_RESOURCE_ATTRIBUTES go first.

    X-Ray shows the log beside a trace only if the resource names the log group.
    """
    function = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    group, stream = environ.get("AWS_LAMBDA_LOG_GROUP_NAME", ""), environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
    memory = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    attributes: dict[str, Any] = {
        names.CLOUD_PROVIDER: "aws",
        names.CLOUD_PLATFORM: "aws_lambda",
        names.CLOUD_REGION: environ.get("AWS_REGION", ""),
        names.FAAS_NAME: function,
        names.FAAS_VERSION: environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        names.FAAS_INSTANCE: stream,
        names.FAAS_MAX_MEMORY: int(memory) * _MEGABYTE if memory.isdecimal() else "",
        names.LOG_GROUPS: (group,) if group else "",
        names.LOG_STREAMS: (stream,) if stream else "",
    }
    known = {name: value for name, value in attributes.items() if value != ""} if function else {}
    return known | dict(read_otel_settings(environ).resource_attributes)


def resource_by_arn(arn: str, version: str) -> dict[str, Any]:
    """The attributes that an invocation's ARN tells; nothing if it is not one.

    A name by which the function was invoked, an alias, gives way to the version, which is always the same.
    """
    parts = arn.split(":")
    if len(parts) < 7:
        return {}
    published = [version] if version.isdecimal() else []
    return {names.CLOUD_ACCOUNT: parts[4], names.CLOUD_RESOURCE_ID: ":".join([*parts[:7], *published])}
