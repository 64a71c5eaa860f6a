"""The drill: a stack's tables are restored on moto, which copies them as they are in place of going back in time."""

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest

from deploy.environments import DeploymentFailed
from deploy.restore import Restoration, moment, restore
from deploy.stack import Stack
from service.aws.clients import AwsClients
from service.store.base import Store
from service.store.dynamodb import TABLES, DynamoStore, create_tables
from service.store.dynamodb.restored import Corrections
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from tests.aws import REGION
from tests.deploy.stack import Stack as Template
from tests.stateful.model import kept_by
from tests.store.builders import CAST_AT, call, comparison, generated, shown, vote
from tests.support import PATIENT

pytestmark = pytest.mark.slow

T = TypeVar("T")
AT = datetime(2026, 11, 28, 11, 59, tzinfo=UTC)
# Other tests leave tables of a stack called sayings on the same moto.
NAME = "drill"
SAYING, COMPARED = generated("a saying"), comparison()
NOTHING = Corrections(sayings=0, voters=0, comparisons=0, lines=0, lost=0)

# What the template says of a table, and DynamoDB or the command gives the restored one.
RESTORED = {"KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode", "SSESpecification"}
COPIED = {"TimeToLiveSpecification", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled"}


@pytest.fixture(autouse=True)
def _environ(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = {"AWS_ENDPOINT_URL": moto_url, "AWS_REGION": REGION}
    for name, value in {**aws, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)


def on_tables(prefix: str, work: Callable[[DynamoStore], Awaitable[T]]) -> T:
    async def open_and_work() -> T:
        async with AsyncExitStack() as stack:
            return await work(DynamoStore(await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb(), prefix))

    return asyncio.run(open_and_work())


async def some_votes(store: Store, name: str) -> None:
    await store.put_sayings([SAYING])
    await store.vote(vote(SAYING, f"{name} blind"))
    await store.vote(vote(SAYING, f"{name} open", attribution=None))
    await store.put_comparison(COMPARED, shown(COMPARED, name))
    await store.show_comparison(shown(COMPARED, name))
    await store.cast_ballot(COMPARED.comparison_id, name, "A", at=CAST_AT)
    await store.record_call(call(f"call {name}"))


async def _make_tables(_: Store) -> None:
    async with AsyncExitStack() as stack:
        await create_tables(await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb(), f"{NAME}-")


@pytest.fixture
def stack() -> Stack:
    """A stack with tables as the template has them, and votes in them."""
    stack = Stack(NAME)
    stack.__dict__["outputs"] = {"Store": f"dynamodb://{NAME}-"}
    on_tables(f"{NAME}-", _make_tables)
    client = stack.session.client("dynamodb")
    for name in TABLES:
        client.update_continuous_backups(
            TableName=f"{NAME}-{name}", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        described = client.update_table(TableName=f"{NAME}-{name}", DeletionProtectionEnabled=True)
        arn = described["TableDescription"]["TableArn"]
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "fun"}])
    on_tables(f"{NAME}-", lambda store: some_votes(store, "before"))
    return stack


@pytest.fixture
def restoration(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Restoration:
    """Between two tables, somebody votes. They can be restored as they were on any day of the last month."""
    restoration = Restoration(stack, AT)
    votes = count()

    def vote_meanwhile(**_: object) -> None:
        on_tables(f"{NAME}-", lambda store: some_votes(store, f"meanwhile {next(votes)}"))

    def a_month(parsed: dict[str, Any], **_: object) -> None:
        window = parsed["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        window["EarliestRestorableDateTime"] = AT - timedelta(days=30)
        window["LatestRestorableDateTime"] = AT + timedelta(minutes=5)

    events = restoration.client.meta.events
    events.register("before-call.dynamodb.RestoreTableToPointInTime", vote_meanwhile)
    events.register("after-call.dynamodb.DescribeContinuousBackups", a_month)
    monkeypatch.setattr("deploy.restore.Restoration", lambda *_: restoration)
    return restoration


def restored_tables(stack: Stack) -> list[str]:
    names: list[str] = stack.session.client("dynamodb").list_tables()["TableNames"]
    return [name for name in names if name.startswith(f"{NAME}-2026")]


def test_the_drill(stack: Stack, restoration: Restoration, capsys: pytest.CaptureFixture[str]) -> None:
    restore(stack, AT)
    kept = on_tables(restoration.prefix, kept_by)
    log = capsys.readouterr().err

    assert len(kept.model.votes) > 2
    kept.assert_counted_right(hours=True)
    assert restoration.agree() == NOTHING
    assert "PARAMETERS='TableInfix=-20261128T115900Z- Rollout=at-once'" in log
    assert "voters 0" not in log


def test_the_new_tables_have_the_settings_of_the_present_ones(stack: Stack, restoration: Restoration) -> None:
    for _ in range(2):  # an interrupted command is repeated
        restore(stack, AT)

    client = restoration.client
    assert sorted(restored_tables(stack)) == sorted(f"{NAME}-20261128T115900Z-{name}" for name in TABLES)
    for table in restored_tables(stack):
        backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        described = client.describe_table(TableName=table)["Table"]
        tags = client.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        assert described["DeletionProtectionEnabled"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "fun"}
    expiry = client.describe_time_to_live(TableName=restoration.prefix + STATE)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": EXPIRY_ATTRIBUTE}


def test_dynamodb_is_asked_again_while_it_cannot_switch_backups_on(
    stack: Stack, restoration: Restoration, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = restoration.client.exceptions.ContinuousBackupsUnavailableException
    switch_on, refusals = restoration.client.update_continuous_backups, [error({}, "UpdateContinuousBackups")] * 2
    pauses: list[float] = []

    def refuse_at_first(**arguments: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return switch_on(**arguments)

    monkeypatch.setattr(restoration.client, "update_continuous_backups", refuse_at_first)
    monkeypatch.setattr("time.sleep", pauses.append)

    restoration.begin()
    restoration.wait()
    restoration.complete()

    assert len(pauses) == 2
    assert not refusals


def test_the_template_says_nothing_of_tables_that_a_restored_one_has_not() -> None:
    said = {name for table in Template().of_type("AWS::DynamoDB::Table").values() for name in table}

    assert said == {"TableName", *RESTORED, *COPIED}


def test_a_deployment_switches_the_stack_over_to_the_new_tables(stack: Stack) -> None:
    infix, pattern = Restoration(stack, AT).infix, Template().template["Parameters"]["TableInfix"]["AllowedPattern"]
    present, switched = Template(), Template(TableInfix=infix)

    tables = {
        resource
        for role in switched.of_type("AWS::IAM::Role").values()
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in (statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]])
        if ":table/" in resource
    }

    assert re.fullmatch(pattern, infix)
    assert {name.partition("/")[2].split("/")[0] for name in tables} == {f"sayings{infix}{name}" for name in TABLES}
    assert switched.properties("Observability")["Parameters"]["TablePrefix"] == f"sayings{infix}"
    for function in ("ApiFunction", "WorkerFunction"):
        assert switched.environment(function)["SAYINGS_STORE"] == f"dynamodb://sayings{infix}"
    # The stack's own tables stay as they are, for a way back.
    assert switched.of_type("AWS::DynamoDB::Table") == present.of_type("AWS::DynamoDB::Table")


@pytest.mark.parametrize("at", [AT - timedelta(days=31), AT + timedelta(hours=1)])
def test_a_moment_that_is_not_kept_is_refused_before_anything_is_made(
    at: datetime, stack: Stack, restoration: Restoration
) -> None:
    late = Restoration(stack, at)
    late.__dict__["client"] = restoration.client

    with pytest.raises(DeploymentFailed, match="can be restored from 2026-10-29"):
        late.check()

    assert restored_tables(stack) == []


def test_tables_without_recovery_are_refused(stack: Stack, restoration: Restoration) -> None:
    restoration.client.update_continuous_backups(
        TableName=f"{NAME}-{STATE}", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )

    with pytest.raises(DeploymentFailed, match=f"recovery is off for {NAME}-{STATE}"):
        restore(stack, AT)


def test_a_time_needs_its_zone() -> None:
    assert moment("2026-11-28T12:59:00.5+01:00") == AT
    with pytest.raises(argparse.ArgumentTypeError, match="UTC is 2026-11-28T11:59:00Z"):
        moment("2026-11-28T11:59:00")
