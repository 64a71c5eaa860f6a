"""Functions emit metrics and traces with every response, through AWS's own runtime client."""

from collections.abc import Iterator

import pytest

from service.participants import SIMULATED_KEY
from tests.aws import put_key, ssm_client
from tests.aws_lambda.gateway import Asked
from tests.aws_lambda.runtime_api import Function, runtime
from tests.telemetry.emf import points
from tests.telemetry.test_xray_udp import Daemon

pytestmark = pytest.mark.slow

# What the Runtime API says of every invocation.
LAMBDAS_TRACE, LAMBDAS_SEGMENT = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
SAYINGS = Asked("GET", "/sayings", headers={"X_Amzn_Trace_Id": "Root=1-00000001-000000000000000000000001;Sampled=0"})


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.close()


@pytest.fixture
async def environ(
    on_dynamodb: dict[str, str], moto_url: str, simulator_url: str, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    async with ssm_client(moto_url, monkeypatch) as ssm:
        for name in ("/api-key/anthropic", "/api-key/openai"):
            await put_key(ssm, name, SIMULATED_KEY)
    own = {"SAYINGS_KEYS": "ssm", "SAYINGS_SIMULATOR": simulator_url, "SAYINGS_ROUNDS": "off"}
    return on_dynamodb | own | {"AWS_XRAY_DAEMON_ADDRESS": daemon.address, "OTEL_SERVICE_NAME": "sayings-x"}


def metrics(function: Function) -> list[str]:
    return [point.metric for line in function.log if '"_aws"' in line for point in points(line)]


async def test_metrics_and_traces_come_with_the_answer_and_join_lambdas_segment(
    environ: dict[str, str], daemon: Daemon
) -> None:
    async with runtime("service.aws_lambda.handler.handler", environ=environ) as function:
        await function.invoke(SAYINGS.v2())
        counted, spans = metrics(function), daemon.spans()

    assert "TotalExecutionTime" in counted
    [root] = [span for span in spans if span.name == "GET /sayings"]
    assert root.parent_span_id.hex() == LAMBDAS_SEGMENT
    assert {span.trace_id.hex() for span in spans} == {LAMBDAS_TRACE}
    assert "DynamoDB.Query" in {span.name for span in spans}


async def test_an_environment_that_answers_one_request_leaves_its_failure_trace(
    environ: dict[str, str], daemon: Daemon
) -> None:
    dead = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    async with runtime("service.aws_lambda.handler.handler", environ=environ | dead) as function:
        answer = await function.invoke(SAYINGS.v2())

    spans = daemon.spans()
    assert (answer["statusCode"], '"origin":"builtin"' in answer["body"]) == (200, True)
    root = next(span for span in spans if span.name == "GET /sayings")
    assert "exception" in {event.name for event in root.events}


async def test_upkeep_is_in_a_trace_of_its_own(environ: dict[str, str], daemon: Daemon) -> None:
    always = {"OTEL_TRACES_SAMPLER": "always_on"}
    async with runtime("service.aws_lambda.handler.handler", environ=environ | always) as function:
        await function.invoke({"warmup": True})
    spans = daemon.spans()

    [root] = [span for span in spans if span.name == "upkeep"]
    assert root.parent_span_id == b""
    assert {span.trace_id for span in spans} == {root.trace_id}
    assert root.trace_id.hex() != LAMBDAS_TRACE
    assert len(spans) > 1


async def test_a_round_is_one_trace_sent_before_the_worker_answers(environ: dict[str, str], daemon: Daemon) -> None:
    async with runtime("workers.lambda_handler.handler", environ=environ) as function:
        await function.invoke({}, seconds=120)
        spans, counted = daemon.spans(), metrics(function)

    assert {span.trace_id.hex() for span in spans} == {LAMBDAS_TRACE}
    assert spans[0].parent_span_id.hex() == LAMBDAS_SEGMENT
    assert len([span for span in spans if span.name.startswith("chat ")]) == 4
    assert {"APILatency", "TokensUsed", "Cost", "RoundSayings"} <= set(counted)
