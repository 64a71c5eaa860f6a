"""What telemetry adds to a cold start: ours against AWS's own distribution, through Lambda's runtime client.

`python -m deploy.telemetry_cold_start` runs, in turns, the API's handler with telemetry switched off, with ours (EMF on
stdout, OTLP over UDP, nothing imported before there is something to send) and with `aws-opentelemetry-distro` doing the
same, set up by hand at the top of the handler's module. The sampled first request is measured, then the second, beside
which ours imports what sends traces. What is measured is this machine's: the differences are what matters.
"""

import argparse
import asyncio
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.cold_start import EVENT, ROUNDS, aws
from deploy.environments import run_uv
from tests.lambdas.runtime_api import ROOT, runtime

# Exporters, propagator and instrumentation only: found by themselves they would cost most of a second more.
DISTRO = """
from amazon.opentelemetry.distro.exporter.aws.metrics.console_emf_exporter import ConsoleEmfExporter
from amazon.opentelemetry.distro.otlp_udp_exporter import OTLPUdpSpanExporter
from opentelemetry.instrumentation.botocore import AiobotocoreInstrumentor
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

import os
import time

RESOURCE = Resource.create({"service.name": os.environ["OTEL_SERVICE_NAME"]})
TRACES = TracerProvider(resource=RESOURCE)
TRACES.add_span_processor(BatchSpanProcessor(OTLPUdpSpanExporter(endpoint=os.environ["AWS_XRAY_DAEMON_ADDRESS"])))
METRICS = MeterProvider(
    [PeriodicExportingMetricReader(ConsoleEmfExporter(namespace="CloudSayings"), export_interval_millis=1e9)],
    resource=RESOURCE,
    views=[View(instrument_name="TotalExecutionTime", name="TotalExecutionTime", attribute_keys={"operation"})],
)
TRACER = TRACES.get_tracer("cloud-sayings")
TIME = METRICS.get_meter("cloud-sayings").create_histogram("TotalExecutionTime", unit="ms")
AiobotocoreInstrumentor().instrument(tracer_provider=TRACES, skip_dep_check=True)

os.environ["OTEL_SDK_DISABLED"] = "true"  # which the distribution has read by now: ours stays silent
from service import lambda_handler


def handler(event, context):
    started = time.perf_counter()
    parent = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]})
    with TRACER.start_as_current_span("GET /sayings", parent, SpanKind.SERVER):
        answer = lambda_handler.handler(event, context)
    TIME.record((time.perf_counter() - started) * 1000, {"operation": "getSaying"})
    TRACES.force_flush()
    METRICS.force_flush()
    return answer
"""
HANDLERS = {
    "off": "service.aws_lambda.handler.handler",
    "ours": "service.aws_lambda.handler.handler",
    "distro": "distro.handler",
}


async def first_two(handler: str, root: Path, environ: Mapping[str, str]) -> tuple[float, float]:
    """Seconds from the start of the process to its first answer, and from there to its second."""
    started = time.perf_counter()
    async with runtime(handler, root=root, environ=environ) as function:
        answer = await function.invoke(EVENT)
        first = time.perf_counter()
        await function.invoke(EVENT)
        second = time.perf_counter()
    if answer["statusCode"] != 200:
        raise RuntimeError(f"That was no saying: {answer} {function.log}")
    return first - started, second - first


async def medians(root: Path, environs: Mapping[str, Mapping[str, str]], rounds: int) -> dict[str, tuple[float, float]]:
    """Of each handler; they take turns, and the first turn, which warms the disk, counts not."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in HANDLERS}
    for turn in range(rounds + 1):
        for name, handler in HANDLERS.items():
            both = await first_two(handler, root, environs[name])
            if turn:
                taken[name].append(both)
    return {
        name: (statistics.median(first for first, _ in both), statistics.median(second for _, second in both))
        for name, both in taken.items()
    }


def environs(common: Mapping[str, str], daemon: str, path: str, distro: Path) -> dict[str, dict[str, str]]:
    """What each handler is started with; the distribution's packages come before this environment's."""
    usual = {**common, "PYTHONPATH": path, "OTEL_SERVICE_NAME": "sayings-api", "AWS_XRAY_DAEMON_ADDRESS": daemon}
    return {
        "off": usual | {"OTEL_SDK_DISABLED": "true"},
        "ours": usual,
        "distro": usual | {"PYTHONPATH": f"{path}:{distro}"},
    }


def _table(rows: Mapping[str, tuple[float, float]]) -> str:
    lines = [f"{'median':<10} {'first answer':>14} {'added':>8} {'second answer':>15}"]
    for name, (first, second) in rows.items():
        added = first - rows["off"][0]
        lines.append(f"{name:<10} {first * 1000:11.0f} ms {added * 1000:5.0f} ms {second * 1000:12.0f} ms")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.telemetry_cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is started")
    parser.add_argument("--distro", type=Path, help="a folder with aws-opentelemetry-distro; else it is downloaded")
    chosen = parser.parse_args(arguments)
    with (
        aws() as common,
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon,
    ):
        daemon.bind(("127.0.0.1", 0))
        distro = chosen.distro or Path(folder, "packages")
        if chosen.distro is None:
            run_uv("pip", "install", "--target", distro, "aws-opentelemetry-distro")
        Path(folder, "distro.py").write_text(DISTRO)
        address = "{}:{}".format(*daemon.getsockname())
        rows = asyncio.run(medians(ROOT, environs(common, address, f"{ROOT}:{folder}", distro), chosen.rounds))
    sys.stdout.write(f"{_table(rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
