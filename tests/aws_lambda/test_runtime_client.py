"""Both functions as Lambda runs them: by AWS's own runtime client, on DynamoDB and SSM, models at the simulator."""

import json
import subprocess
import sys
from typing import Any

import pytest

from service.participants import SIMULATED_KEY
from tests.aws import put_key, ssm_client
from tests.aws_lambda.gateway import Asked, answer
from tests.aws_lambda.runtime_api import ROOT, FunctionFailed, runtime
from tests.http.wire import Answer

pytestmark = pytest.mark.slow

API = "service.aws_lambda.handler.handler"
WORKER = "workers.lambda_handler.handler"
SAYINGS = Asked("GET", "/sayings")


@pytest.fixture
async def environ(
    on_dynamodb: dict[str, str], moto_url: str, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The functions' environment; the models' keys are in SSM."""
    async with ssm_client(moto_url, monkeypatch) as ssm:
        for name in ("/api-key/anthropic", "/api-key/openai"):
            await put_key(ssm, name, SIMULATED_KEY)
    return on_dynamodb | {"SAYINGS_KEYS": "ssm", "SAYINGS_SIMULATOR": simulator_url, "SAYINGS_ROUNDS": "off"}


def vote_on(found: Answer) -> Asked:
    vote = {"sayingId": found.json["sayingId"], "source": found.json["source"], "feedbackType": "POSITIVE"}
    return Asked("POST", "/feedback", json.dumps(vote).encode(), {"Content_Type": "application/json"})


async def test_the_api_answers_both_payloads_in_one_environment(environ: dict[str, str]) -> None:
    async with runtime(API, environ=environ) as function:
        warm = await function.invoke({"source": "aws.events"})
        sayings = [answer(await function.invoke(form(SAYINGS))) for form in (Asked.v1, Asked.v2)]
        votes = [answer(await function.invoke(form(vote_on(sayings[0])))) for form in (Asked.v1, Asked.v2)]
        lost = answer(await function.invoke(Asked("GET", "/%C3%BC").v2()))
        refused = answer(await function.invoke({"Records": []}))

    assert warm == {"warm": True}
    assert [(each.status, each.json["requestNumber"]) for each in sayings] == [(200, 1), (200, 2)]
    assert [(each.status, each.json["upvotes"]) for each in votes] == [(200, 1), (200, 2)]
    assert all("Secure" in each.headers["Set-Cookie"] for each in votes)
    assert (lost.error, refused.error) == ((404, "route_not_found"), (400, "invalid_request"))
    assert [line["message"] for line in function.records] == ["vote taken", "vote taken", "gateway failed"]
    assert all(line.startswith("{") for line in function.log)  # nothing was written that is no JSON


async def test_the_deadline_that_lambda_sets_bounds_the_answer(environ: dict[str, str]) -> None:
    # Given an invocation with hardly more time than is kept for the answer's way back
    async with runtime(API, environ=environ | {"AWS_ENDPOINT_URL": "http://192.0.2.1"}) as function:
        found = answer(await function.invoke(SAYINGS.v2(), seconds=0.6))

    assert (found.json["origin"], found.json["degraded"]) == ("builtin", "database_timeout")


@pytest.mark.parametrize("handler", [API, WORKER])
@pytest.mark.parametrize(
    ("bad", "name"),
    [({"SAYINGS_STORE": "postgres://x"}, "SAYINGS_STORE"), ({"AWS_REGION": ""}, "AWS_REGION")],
    ids=["bad", "missing"],
)
async def test_a_bad_setting_fails_the_start_with_its_name(
    environ: dict[str, str], handler: str, bad: dict[str, str], name: str
) -> None:
    async with runtime(handler, environ=environ | bad) as function:
        with pytest.raises(FunctionFailed) as failure:
            await function.invoke(SAYINGS.v2())
        code = await function.ended()

    assert (failure.value.type, code) == ("ConfigError", 1)
    assert failure.value.message.startswith(f"{name}: ")
    assert not any("ResourceWarning" in line for line in function.log)


async def test_a_worker_without_a_store_fails_with_a_message_of_ours(environ: dict[str, str]) -> None:
    async with runtime(WORKER, environ=environ | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}) as worker:
        failures = []
        for _ in range(2):
            with pytest.raises(FunctionFailed) as failure:
                await worker.invoke({}, seconds=120)
            failures.append(failure.value)

    # The environment lives on, and nothing the SDK said is in what Lambda is told or in the log.
    assert [str(each) for each in failures] == ["StoreUnreachable: There is no connection to the database."] * 2
    told = "".join([*worker.log, *(each.whole for each in failures)])
    assert "127.0.0.1" not in told
    assert "botocore" not in told
    assert {line["message"] for line in worker.records} == {"store failed", "round failed"}


async def test_a_packaged_function_sees_only_the_packages_modules(environ: dict[str, str]) -> None:
    async with runtime(API, environ=environ, alone=True) as function:  # our sources are not a whole package
        with pytest.raises(FunctionFailed, match=r"Runtime\.ImportModuleError: .*No module named 'msgspec'"):
            await function.invoke(SAYINGS.v2())


# What a first answer may import beside Python's own; each has a reason.
AWS = {
    "aioboto3",
    "aiobotocore",
    "aiofiles",
    "aioitertools",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "urllib3",
}
HTTP_CLIENT = {"aiohappyeyeballs", "aiohttp", "aiosignal", "attr", "frozenlist", "idna", "multidict", "propcache"}
HTTP_CLIENT |= {"yarl", "certifi", "brotli", "_brotli", "zstandard", "backports"}
OTHERS = {"cachetools", "msgspec", "wrapt", "six", "typing_extensions", "cython_runtime", "service", "telemetry"}
# What it must not, the dearest of them by name.
NEVER = {
    "anthropic", "openai", "httpx2", "httpx", "pydantic", "rich", "moto", "workers", "service.server.app",
    "service.simulator", "service.page.files", "service.process", "aiohttp.web",
}  # fmt: skip


def modules_after_one_answer(environ: dict[str, Any], event: dict[str, Any]) -> set[str]:
    """Every module that a process has loaded when it has answered one event."""
    program = (
        "import json, sys\n"
        "from service.aws_lambda.handler import handler\n"
        "class Context:\n"
        "    aws_request_id = invoked_function_arn = ''\n"
        "    def get_remaining_time_in_millis(self):\n"
        "        return 29_000\n"
        "assert handler(json.loads(sys.argv[1]), Context())['statusCode'] == 200\n"
        "print('\\n'.join(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(event)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line for line in done.stdout.splitlines() if not line.startswith("{")}


def test_the_first_response_imports_only_what_it_needs(
    on_dynamodb: dict[str, str],
) -> None:
    environ = on_dynamodb | {"SAYINGS_KEYS": "ssm", "SAYINGS_ROUNDS": "lambda:worker"}

    modules = modules_after_one_answer(environ, SAYINGS.v2())

    # Modules with an underscore are compiled parts of packages that are here by their own names. Debian's Python brings
    # a sitecustomize.
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"__main__", "sitecustomize"}
    assert {top for top in tops if not top.startswith("_")} <= AWS | HTTP_CLIENT | OTHERS
    assert modules.isdisjoint(NEVER)
