"""Traces of a Lambda function, as the X-Ray daemon's socket receives them."""

import base64
import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from telemetry import names, traces
from telemetry.events import Event, Listener, Unexpected
from telemetry.lambda_setup import LambdaTelemetry, function_resource, resource_by_arn
from telemetry.traces import Trace
from tests.logging_capture import captured_log
from tests.telemetry.emf import points
from tests.telemetry.stories import ANSWERED, DENIED, LIMITED, SERVED

HEADER = b'{"format":"json","version":1}\n'
SAMPLED = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1"


class Daemon:
    """The socket that Lambda's X-Ray daemon listens on."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        host, port = self._socket.getsockname()
        self.address = f"{host}:{port}"

    def datagrams(self) -> Iterator[bytes]:
        """All that have arrived; on the loopback that is when they are sent."""
        while True:
            try:
                yield self._socket.recv(65_536)
            except BlockingIOError:
                return

    def spans(self) -> list[Span]:
        return [span for datagram in self.datagrams() for span in spans_of(datagram)]

    def close(self) -> None:
        self._socket.close()


def spans_of(datagram: bytes) -> list[Span]:
    header, payload = datagram[: len(HEADER)], datagram[len(HEADER) :]
    assert header == HEADER
    assert payload.startswith(b"T1S")
    request = ExportTraceServiceRequest.FromString(base64.b64decode(payload[3:], validate=True))
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


def annotations(span: Span) -> set[str]:
    listed = attributes(span).get(names.XRAY_ANNOTATIONS)
    return {value.string_value for value in listed.values} if listed else set()


def trace_of(listener: Listener, *events: Event, header: str = SAMPLED) -> Trace:
    """The trace that a request's events leave behind."""
    trace = traces.begin({"X-Amzn-Trace-Id": header})
    for event in events:
        listener.emit(event)
    return trace


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.close()


@pytest.fixture
def stdout() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def telemetry(daemon: Daemon, stdout: io.StringIO) -> Iterator[LambdaTelemetry]:
    environ = {"AWS_XRAY_DAEMON_ADDRESS": daemon.address, "OTEL_SERVICE_NAME": "sayings-api"}
    telemetry = LambdaTelemetry(environ, stdout)
    yield telemetry
    telemetry.close()


@pytest.fixture(autouse=True)
def own_context() -> Iterator[None]:
    """The trace a test begins ends with it."""
    token = traces._current.set(None)
    yield
    traces._current.reset(token)


class TestTraces:
    async def test_a_request_arrives_as_a_child_of_lambdas_own_segment(
        self, telemetry: LambdaTelemetry, daemon: Daemon
    ) -> None:
        trace_of(telemetry.listener, ANSWERED, SERVED)

        telemetry.flush()

        root, call = daemon.spans()
        assert root.trace_id.hex() == call.trace_id.hex() == "5759e988bd862e3fe1be46a994272793"
        assert (root.name, root.kind, root.parent_span_id.hex()) == (
            "GET /sayings", Span.SPAN_KIND_SERVER, "53995c3f42cd8ad8",
        )  # fmt: skip
        assert (call.name, call.kind, call.parent_span_id) == ("chat gpt-4.1", Span.SPAN_KIND_CLIENT, root.span_id)
        assert attributes(call)["peer.service"] == "openai"

    async def test_a_span_names_what_xray_shall_index(self, telemetry: LambdaTelemetry, daemon: Daemon) -> None:
        trace_of(telemetry.listener, LIMITED, SERVED)

        telemetry.flush()

        root, call = daemon.spans()
        assert annotations(call) == {"gen_ai.provider.name", "gen_ai.request.model", "error.type"}
        assert annotations(root) == {"operation", "http.route"}

    @pytest.mark.parametrize(
        ("sampled", "events", "names_sent"),
        [
            ("1", (SERVED,), ["GET /sayings"]),
            ("0", (SERVED,), []),
            ("0", (ANSWERED, SERVED), ["GET /sayings", "chat gpt-4.1"]),
            ("0", (DENIED, SERVED), ["GET /sayings"]),
        ],
        ids=["sampled", "not sampled", "a live call", "an error"],
    )
    async def test_what_lambda_samples_is_sent_and_what_is_remarkable(
        self, telemetry: LambdaTelemetry, daemon: Daemon, sampled: str, events: tuple[Event, ...], names_sent: list[str]
    ) -> None:
        trace_of(telemetry.listener, *events, header=SAMPLED.replace("Sampled=1", f"Sampled={sampled}"))

        telemetry.flush()

        assert [span.name for span in daemon.spans()] == names_sent

    async def test_what_one_datagram_cannot_hold_comes_in_several(
        self, telemetry: LambdaTelemetry, daemon: Daemon
    ) -> None:
        trace_of(telemetry.listener, *[ANSWERED] * 199, SERVED)

        telemetry.flush()

        datagrams = list(daemon.datagrams())
        assert len(datagrams) > 1
        assert max(map(len, datagrams)) <= 64_000
        assert sum(len(spans_of(datagram)) for datagram in datagrams) == 200

    async def test_each_trace_is_sent_once(self, telemetry: LambdaTelemetry, daemon: Daemon) -> None:
        trace_of(telemetry.listener, SERVED)

        telemetry.flush()
        telemetry.flush()

        assert len(daemon.spans()) == 1

    @pytest.mark.parametrize(
        ("address", "dropped"), [("127.0.0.1:1", False), ("255.255.255.255:2000", True)], ids=["deaf", "unreachable"]
    )
    async def test_a_daemon_that_is_not_there_costs_nothing(
        self, stdout: io.StringIO, address: str, dropped: bool
    ) -> None:
        telemetry = LambdaTelemetry({"AWS_XRAY_DAEMON_ADDRESS": address}, stdout)
        with captured_log() as log:
            trace_of(telemetry.listener, SERVED)

            for _ in range(3):
                telemetry.flush()

        telemetry.close()
        assert log.lines == []
        assert ("TelemetryDropped" in stdout.getvalue()) is dropped

    async def test_without_a_daemon_no_notes_are_kept(self, stdout: io.StringIO) -> None:
        telemetry = LambdaTelemetry({}, stdout)
        trace = trace_of(telemetry.listener, ANSWERED, SERVED)

        telemetry.flush()

        assert trace.notes == []
        assert "TotalExecutionTime" in stdout.getvalue()


FUNCTION = {
    "AWS_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "sayings-api",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/sayings-api",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/29/[$LATEST]0123456789abcdef",
}
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:sayings-api"


class TestResource:
    def test_a_trace_says_which_function_it_is_from_and_where_its_log_is(self) -> None:
        assert function_resource(FUNCTION | {"OTEL_SERVICE_NAME": "sayings-x"}) == {
            "service.name": "sayings-x",
            "cloud.provider": "aws",
            "cloud.platform": "aws_lambda",
            "cloud.region": "eu-west-1",
            "faas.name": "sayings-api",
            "faas.version": "$LATEST",
            "faas.instance": "2026/11/29/[$LATEST]0123456789abcdef",
            "faas.max_memory": 1_073_741_824,
            "aws.log.group.names": ("/aws/lambda/sayings-api",),
            "aws.log.stream.names": ("2026/11/29/[$LATEST]0123456789abcdef",),
        }

    @pytest.mark.parametrize("lacking", sorted(FUNCTION))
    def test_what_is_not_known_is_left_out(self, lacking: str) -> None:
        resource = function_resource({name: value for name, value in FUNCTION.items() if name != lacking})

        assert "" not in resource.values()
        assert ("",) not in resource.values()

    def test_elsewhere_than_on_lambda_it_is_only_the_service(self) -> None:
        assert function_resource({"AWS_REGION": "eu-west-1"}) == {"service.name": "cloud-sayings"}

    def test_the_operators_own_attributes_go_first(self) -> None:
        given = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=a%20test, faas.name=x,service.name=sayings-y"}

        resource = function_resource(FUNCTION | given)

        assert resource["deployment.environment.name"] == "a test"
        assert (resource["faas.name"], resource["service.name"]) == ("x", "sayings-y")

    @pytest.mark.parametrize(
        ("arn", "version", "resource_id"),
        [
            (ARN, "$LATEST", ARN),
            (f"{ARN}:live", "7", f"{ARN}:7"),
            (f"{ARN}:live", "$LATEST", ARN),
            ("", "7", None),
            ("sayings-api", "7", None),
        ],
    )
    def test_an_alias_gives_way_to_its_version(self, arn: str, version: str, resource_id: str | None) -> None:
        resource = resource_by_arn(arn, version)

        assert resource.get("cloud.resource_id") == resource_id
        assert resource.get("cloud.account.id") == (resource_id and "123456789012")

    def test_an_invocation_is_in_its_trace(self, daemon: Daemon) -> None:
        telemetry = LambdaTelemetry(FUNCTION | {"AWS_XRAY_DAEMON_ADDRESS": daemon.address}, io.StringIO())

        for request_id in ("a", "b"):
            telemetry.begin(request_id, ARN)
            trace_of(telemetry.listener, SERVED)
            telemetry.flush()

        telemetry.close()
        found = [attributes(span) for span in daemon.spans()]
        assert [(each["faas.invocation_id"], each["faas.coldstart"]) for each in found] == [("a", True), ("b", False)]


class TestMetrics:
    def test_they_are_on_stdout_at_the_end_of_the_invocation(
        self, telemetry: LambdaTelemetry, stdout: io.StringIO
    ) -> None:
        trace_of(telemetry.listener, SERVED)

        telemetry.flush()

        read = [point for line in stdout.getvalue().splitlines() for point in points(line)]
        assert {point.metric for point in read} == {"TotalExecutionTime"}
        assert {point.dimensions["service.name"] for point in read} == {"sayings-api"}

    def test_they_are_out_before_the_environment_may_freeze(self) -> None:
        written = io.BytesIO()
        telemetry = LambdaTelemetry({}, io.TextIOWrapper(written))
        trace_of(telemetry.listener, SERVED)

        telemetry.flush()

        assert b"TotalExecutionTime" in written.getvalue()

    def test_a_defect_in_the_sending_costs_no_answer_and_is_logged(self, daemon: Daemon) -> None:
        class Full(io.StringIO):
            def write(self, _: str) -> int:
                raise OSError(28, "No space left on device")

        telemetry = LambdaTelemetry({}, Full())
        trace_of(telemetry.listener, SERVED)
        with captured_log() as log:
            telemetry.flush()

        assert log.only["error_type"] == "OSError"

    def test_switched_off_nothing_but_the_log_is_left(self, daemon: Daemon, stdout: io.StringIO) -> None:
        environ = {"OTEL_SDK_DISABLED": "true", "AWS_XRAY_DAEMON_ADDRESS": daemon.address}
        telemetry = LambdaTelemetry(environ, stdout)
        with captured_log() as log:
            trace_of(telemetry.listener, Unexpected("a test", ValueError()), SERVED)
            telemetry.flush()

        assert log.only["operation"] == "a test"
        assert stdout.getvalue() == ""
        assert daemon.spans() == []


FIRST_ANSWER = """
import sys
from telemetry import traces
from telemetry.lambda_setup import open_lambda_telemetry
from telemetry.events import RequestServed

telemetry = open_lambda_telemetry({"AWS_XRAY_DAEMON_ADDRESS": "%s"})
traces.begin({"X-Amzn-Trace-Id": "%s"})
telemetry.listener.emit(RequestServed("getSaying", 200, 3.5, "", "GET", "/sayings"))
telemetry.flush()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "google"}), file=sys.stderr)
"""


@pytest.mark.slow
def test_the_first_answer_sends_its_trace_without_an_import_of_opentelemetry(daemon: Daemon) -> None:
    program = FIRST_ANSWER % (daemon.address, SAMPLED)

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stderr == "[]\n"
    assert json.loads(ran.stdout)["TotalExecutionTime"] == 3.5
    assert [span.name for span in daemon.spans()] == ["GET /sayings"]
