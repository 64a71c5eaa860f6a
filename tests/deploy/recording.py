"""Records the AWS calls of both functions: their use cases run through the service's own clients."""

import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from service.api.http import Caller, Request, Router
from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.catalogue.models import NANOS_PER_DOLLAR
from service.config import Settings
from service.domain import Attribution, Ballot, Comparison, Entry, FeedbackType, NetworkDay, Vote, day_of
from service.limits import DAY_SECONDS
from service.llm.billing import spend_window
from service.llm.vendors import VENDORS
from service.participants import SIMULATED_KEY
from service.resources import Resources, open_resources
from service.simulator import Simulator
from service.store.base import Store
from service.store.dynamodb import DynamoStore, create_tables
from service.store.dynamodb.tables import STATE
from telemetry.events import Silence
from tests.deploy.iam import Access
from tests.deploy.stack import ACCOUNT, REGION, Stack
from tests.faults.proxy import EVERYTHING, AwsProxy, Forward, good
from tests.support import PATIENT
from workers.fleet import fleet_rounds

OPERATOR_KEY_PARAMETER = "/sayings/operator-key"
_INVOCATION = "/2015-03-31/functions/"


@dataclass(frozen=True)
class Call:
    """A call to AWS as it went over the wire."""

    service: str
    operation: str
    parameters: dict[str, Any]


class CallerWithAddress(Caller):
    """A caller with an address, so that its votes belong to a network."""

    address = "192.0.2.1"


Needs = dict[str, list[Access]]


def needs(stack: Stack, calls: Mapping[str, list[Call]]) -> Needs:
    """The accesses that each role needs: the recorded calls, and those that AWS makes with the role."""
    by_role = {
        role: accesses(calls[function], stack.arn("ParameterKey")) + _on_behalf(stack, function)
        for role, function in (("ApiRole", "ApiFunction"), ("WorkerRole", "WorkerFunction"))
    }
    return by_role | {
        "ScheduleRole": _by_schedule(stack),
        "RolloutRole": _by_rollout(stack),
        "OriginSecretRole": [],
    }


async def record(stack: Stack, moto_url: str) -> dict[str, list[Call]]:
    """The calls of each function, by its logical id."""
    async with AsyncExitStack() as opened:
        simulator_url = await opened.enter_async_context(Simulator(seed=1, speed=0).serve())
        await _prepare(stack, moto_url)
        recorded = {}
        for function, use in (("ApiFunction", _use_api), ("WorkerFunction", _use_worker)):
            async with _recorder(moto_url) as (url, calls):
                with patch.dict(os.environ, _credentials(url)):
                    environ = stack.environment(function) | {
                        "SAYINGS_SIMULATOR": simulator_url,
                        "SAYINGS_LIVE_EVERY": "1",
                    }
                    settings = msgspec.structs.replace(Settings.from_env(environ), timeouts=PATIENT)
                    async with open_resources(settings, environ, Silence()) as resources:
                        await use(resources)
            recorded[function] = calls
        return recorded


async def _use_api(resources: Resources) -> None:
    """Every route: sayings, votes of every kind, comparisons also over the cap; then what is done beside requests."""
    await resources.store.time()  # the first call of all, which asks the database for its clock
    router, visited = Router(resources.endpoints.routes), set()

    async def ask(method: str, path: str, body: object = None, voter: str = "a" * 32) -> Any:
        found = router.find(method, path)
        assert found is not None, path
        route, parameters = found
        headers = CIMultiDict({"Content-Type": "application/json", "Cookie": f"sayings_voter={voter}"})
        headers["Authorization"] = f"Bearer {SIMULATED_KEY}"
        request = Request(
            method, path, headers, json.dumps(body).encode(), parameters=parameters, caller=CallerWithAddress()
        )
        response = await route.handler(request)
        assert response.status == 200, response.body
        visited.add(route.operation)
        return json.loads(response.body)

    for route in resources.endpoints.routes:
        if route.method == "GET" and "{" not in route.path:
            await ask("GET", route.path)
    live: dict[str, Any] = {}
    for _ in range(60):  # whose turn it is to write is drawn by lot
        saying = await ask("GET", "/sayings")
        if saying["origin"] == "live":
            live[saying["vendor"]] = saying
        if len(live) == len(VENDORS):
            break
    assert live.keys() == VENDORS.keys(), saying
    vote = {"sayingId": saying["sayingId"], "source": saying["source"], "voteToken": saying["voteToken"]}
    for feedback in ("POSITIVE", "NEGATIVE"):
        await ask("POST", "/feedback", vote | {"feedbackType": feedback})
    await ask("DELETE", f"/feedback/{vote['sayingId']}")
    await ask("GET", f"/sayings/{vote['sayingId']}")
    compared = await ask("POST", "/compare", {})
    await ask("POST", f"/compare/{compared['comparisonId']}/vote", {"winner": "A"})
    await ask("GET", f"/compare/{compared['comparisonId']}")
    await ask("DELETE", "/me")
    async with _nothing_left_to_spend(resources):
        assert (await ask("POST", "/compare", {}, voter="b" * 32))["replayed"]
    await ask("POST", f"/sayings/{vote['sayingId']}/report", {})
    await _take_down_and_restore(ask, vote["sayingId"], "0" * 32)  # one that is stored, and one that is not
    assert visited == {route.operation for route in resources.endpoints.routes}

    blindly = Vote(vote["sayingId"], "c" * 32, FeedbackType.POSITIVE, time.time(), Attribution.BLIND, (), 4)
    await resources.store.vote(blindly)  # a lot decides who may
    await resources.gone_models.refresh()
    await resources.store.mark_gone("a model that no vendor has", since=time.time())
    await resources.filler.fill()
    await resources.takedowns.drop_deleted()
    await resources.serves.flush()
    assert resources.round_trigger is not None
    assert await resources.round_trigger.pull()


async def _take_down_and_restore(ask: Callable[..., Awaitable[Any]], *identities: str) -> None:
    for identity in identities:
        await ask("POST", f"/admin/sayings/{identity}/withdraw", {"reason": "slander"})
        await ask("POST", f"/admin/sayings/{identity}/restore")


@asynccontextmanager
async def _nothing_left_to_spend(resources: Resources) -> AsyncIterator[None]:
    window, cap = spend_window(time.time()), round(resources.settings.hourly_cap_usd * NANOS_PER_DOLLAR)
    await resources.store.adjust_spend(window, cap)
    yield
    await resources.store.adjust_spend(window, -cap)


async def _use_worker(resources: Resources) -> None:
    """A round, after which the pass finds something of everything: old votes and ballots, and a voter who asked."""
    await resources.gone_models.refresh()
    finished = await fleet_rounds(resources).run()
    assert finished is not None
    assert all(report.sayings for report in finished.models), finished


async def _prepare(stack: Stack, moto_url: str) -> None:
    """The tables, with some of the collection, and the keys."""
    settings = Settings.from_env(stack.environment("ApiFunction"))
    with patch.dict(os.environ, _credentials(moto_url)):
        async with AsyncExitStack() as opened:
            aws = AwsClients(REGION, opened, timeouts=PATIENT)
            dynamodb, prefix = await aws.dynamodb(), settings.store.removeprefix("dynamodb://")
            await create_tables(dynamodb, prefix)
            await _prepare_old_data(DynamoStore(dynamodb, prefix))
            burst = {"name": {"S": "burst#2024-02-29T10/0123456789abcdef"}, "part": {"S": "burst"}}
            await dynamodb.put_item(TableName=prefix + STATE, Item=burst)  # of an earlier version
            ssm = await aws.ssm()
            for name in (*settings.key_parameters.values(), OPERATOR_KEY_PARAMETER):
                await ssm.put_parameter(Name=name, Value=SIMULATED_KEY, Type="SecureString", Overwrite=True)


async def _prepare_old_data(store: Store) -> None:
    """Votes and ballots of a month and a year ago, one that was never cast, and a voter who asked to be forgotten."""
    sayings, now = collection()[:5], time.time()
    await store.put_sayings(sayings)
    for n, days in enumerate((40, 400, 1)):
        at, voter = now - days * DAY_SECONDS, f"voter {n}"
        networks = (NetworkDay(f"{day_of(at)}/a network"),)
        await store.vote(Vote(sayings[n].saying_id, voter, FeedbackType.POSITIVE, at, Attribution.BLIND, networks, 4))
        entries = tuple(Entry(slot, "gpt-4.1", "", "a saying", None, None, None) for slot in "AB")
        compared = Comparison(f"{n:032x}", "Amazon S3", True, at, entries)
        await store.put_comparison(compared, Ballot(compared.comparison_id, voter, at))
        await store.show_comparison(Ballot(compared.comparison_id, "a voter who never votes", at))
        await store.cast_ballot(compared.comparison_id, voter, "A", at=at, networks=networks)
    await store.forget("voter 2", asked_at=now - 3_600)
    await store.day_secret("2024-02-29")


def _credentials(url: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@asynccontextmanager
async def _recorder(moto_url: str) -> AsyncIterator[tuple[str, list[Call]]]:
    """A server that notes every call and passes it on to moto; functions it takes as invoked itself."""
    calls: list[Call] = []

    async def note(request: web.Request, forward: Forward) -> web.StreamResponse:
        calls.append(_call(request, await request.read()))
        return web.Response(status=202) if calls[-1].service == "lambda" else await good(request, forward)

    async with AwsProxy(moto_url).serve() as proxy:
        proxy.inject(EVERYTHING, note, count=None)
        yield proxy.url, calls


def _call(request: web.Request, body: bytes) -> Call:
    if request.path.startswith(_INVOCATION):
        name = unquote(request.path.removeprefix(_INVOCATION).removesuffix("/invocations"))
        return Call("lambda", "Invoke", {"FunctionName": name})
    api, _, operation = request.headers["X-Amz-Target"].partition(".")
    return Call({"DynamoDB_20120810": "dynamodb", "AmazonSSM": "ssm"}[api], operation, json.loads(body))


def accesses(calls: Iterable[Call], key: str) -> list[Access]:
    """What IAM judges when the calls arrive; `key` is the ARN of the key that parameters are encrypted with."""
    return [access for call in calls for access in _accesses(call, key)]


def _accesses(call: Call, key: str) -> list[Access]:
    place = f"{REGION}:{ACCOUNT}"
    match call:
        case Call("dynamodb", "TransactWriteItems"):
            writes = [write for item in call.parameters["TransactItems"] for write in item.items()]
            return [_access_to_table(f"{kind}Item", write) for kind, write in writes]
        case Call("dynamodb", "BatchGetItem"):
            return [Access("dynamodb:BatchGetItem", _table(table)) for table in call.parameters["RequestItems"]]
        case Call("dynamodb", operation, {"TableName": table, "IndexName": index}):
            return [Access(f"dynamodb:{operation}", f"{_table(table)}/index/{index}")]
        case Call("dynamodb", operation, {"TableName": _}):
            return [_access_to_table(operation, call.parameters)]
        case Call("ssm", operation, {"Name": name, "WithDecryption": True}):
            parameter = f"arn:aws:ssm:{place}:parameter/{name.removeprefix('/')}"
            by_parameter_store = {
                "kms:ViaService": f"ssm.{REGION}.amazonaws.com",
                "kms:EncryptionContext:PARAMETER_ARN": parameter,
            }
            return [
                Access(f"ssm:{operation}", parameter),
                Access("kms:Decrypt", key, by_parameter_store),
            ]
        case Call("lambda", "Invoke"):
            return [
                Access("lambda:InvokeFunction", f"arn:aws:lambda:{place}:function:{call.parameters['FunctionName']}")
            ]
    raise NotImplementedError(call)


def _access_to_table(operation: str, parameters: dict[str, Any]) -> Access:
    """An access to a table itself, with what IAM knows of it: the partition key, attributes and what is returned."""
    context: dict[str, str | tuple[str, ...]] = {"dynamodb:ReturnValues": parameters.get("ReturnValues", "NONE")}
    if operation == "Scan":
        names = parameters.get("ExpressionAttributeNames", {})
        context["dynamodb:Select"] = parameters.get("Select", "ALL_ATTRIBUTES")
        if attributes := parameters.get("ProjectionExpression"):
            context["dynamodb:Attributes"] = tuple(names.get(name, name) for name in attributes.split(", "))
    elif operation == "Query":
        context["dynamodb:LeadingKeys"] = (parameters["ExpressionAttributeValues"][":name"]["S"],)
    else:
        key = parameters.get("Key") or parameters["Item"]
        partition = next(name for name in ("name", "saying_id", "comparison_id", "generation_id") if name in key)
        context["dynamodb:LeadingKeys"] = (key[partition]["S"],)
    return Access(f"dynamodb:{operation}", _table(parameters["TableName"]), context)


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _on_behalf(stack: Stack, function: str) -> list[Access]:
    """What Lambda itself does with a function's role, as the template asks for it."""
    properties = stack.properties(function)
    # The log group's ARN ends in `:*`, which stands for its streams.
    streams = stack.arn(_log_group(stack, properties)).removesuffix("*") + "log-stream:2026/11/20/[$LATEST]0a"
    done = [Access("logs:CreateLogStream", streams), Access("logs:PutLogEvents", streams)]
    if stack.template["Globals"]["Function"]["Tracing"] == "Active":
        done += [Access("xray:PutTraceSegments", "*"), Access("xray:PutTelemetryRecords", "*")]
    if "EventInvokeConfig" in properties:
        done.append(
            Access("sqs:SendMessage", properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"])
        )
    return done


def _log_group(stack: Stack, properties: dict[str, Any]) -> str:
    name = properties["LoggingConfig"]["LogGroup"]
    groups = stack.of_type("AWS::Logs::LogGroup")
    return next(group for group, found in groups.items() if found["LogGroupName"] == name)


def _by_schedule(stack: Stack) -> list[Access]:
    """What EventBridge Scheduler does with its role."""
    target = stack.properties("WorkerSchedule")["Target"]
    return [
        Access("lambda:InvokeFunction", target["Arn"]),
        Access("sqs:SendMessage", target["DeadLetterConfig"]["Arn"]),
    ]


def _by_rollout(stack: Stack) -> list[Access]:
    """What CodeDeploy does with its role, by the policy that AWS has for it, AWSCodeDeployRoleForLambdaLimited.

    Those on an alias are judged by the ARN of the function, but of provisioned concurrency by that of the alias.
    """
    function = stack.arn("ApiFunction")
    return [
        Access("cloudwatch:DescribeAlarms", "*"),
        Access("lambda:GetAlias", function),
        Access("lambda:UpdateAlias", function),
        Access("lambda:GetProvisionedConcurrencyConfig", f"{function}:live"),
    ]
