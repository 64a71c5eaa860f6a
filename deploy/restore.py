"""Restores all tables of a stack as they were at a moment: `python -m deploy.restore --at 2026-11-28T11:59:00Z`.

DynamoDB restores a table to a new one, and each for itself. So this command makes new tables beside the present ones,
gives them the settings of those, and makes them agree. The stack uses its present tables until a deployment, which the
command names at its end, switches it over. Until then nothing has changed, and the way back is another deployment.

The command may be interrupted and repeated.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from deploy.environments import DeploymentFailed
from deploy.stack import NAME, Stack, outbound, refusals
from service.aws.clients import AwsClients
from service.errors import StoreError
from service.limits import Timeouts
from service.process import say
from service.store.dynamodb import TABLES
from service.store.dynamodb.restored import Corrections, RestoredStore
from telemetry.logs import LogListener, configure_logging

# DynamoDB takes twenty minutes or more for a table of any size.
WAITING: Mapping[str, Any] = {"Delay": 20, "MaxAttempts": 12 * 3600 // 20}
BACKUPS_ATTEMPTS = 30
PATIENT = Timeouts(aws_connect=10.0, aws_read=60.0, credentials_fetch=120.0, credentials_wait=120.0)


@dataclass(frozen=True)
class Restoration:
    """New tables for a stack, as its present ones were at a moment. Every method raises DeploymentFailed."""

    stack: Stack
    at: datetime

    @property
    def infix(self) -> str:
        """What stands between the name of the stack and those of the new tables."""
        return f"-{self.at:%Y%m%dT%H%M%SZ}-"

    @property
    def prefix(self) -> str:
        return self.stack.name + self.infix

    @cached_property
    def present_prefix(self) -> str:
        return self.stack.outputs["Store"].removeprefix("dynamodb://")

    @cached_property
    def client(self) -> Any:
        return self.stack.session.client("dynamodb")

    def check(self) -> None:
        """Check that all tables can be restored, before the first of them is."""
        if self.prefix == self.present_prefix:
            raise DeploymentFailed("The stack uses the tables of that moment already.")
        for name in TABLES:
            found = self.client.describe_continuous_backups(TableName=self.present_prefix + name)
            window = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
            if window.get("PointInTimeRecoveryStatus") != "ENABLED":
                raise DeploymentFailed(f"Point-in-time recovery is off for {self.present_prefix}{name}.")
            first, last = window["EarliestRestorableDateTime"], window["LatestRestorableDateTime"]
            if not first <= self.at <= last:
                raise DeploymentFailed(f"{self.present_prefix}{name} can be restored from {first} to {last}.")

    def begin(self) -> None:
        """Have DynamoDB restore those tables that it does not restore yet. It does so for all at the same time."""
        for name in TABLES:
            with suppress(self.client.exceptions.TableAlreadyExistsException):
                self.client.restore_table_to_point_in_time(
                    SourceTableName=self.present_prefix + name,
                    TargetTableName=self.prefix + name,
                    RestoreDateTime=self.at,
                )

    def wait(self) -> None:
        for name in TABLES:
            say(f"Waiting for {self.prefix}{name} …")
            self.client.get_waiter("table_exists").wait(TableName=self.prefix + name, WaiterConfig=WAITING)

    def complete(self) -> None:
        """Give the new tables the settings of the present ones that DynamoDB does not restore."""
        for name in TABLES:
            source, target = self.present_prefix + name, self.prefix + name
            self._copy_expiry(source, target)
            self._copy_tags(source, target)
            self._switch_on_backups(target)  # check() has seen that they are on for the present one
            protected = self.client.describe_table(TableName=source)["Table"].get("DeletionProtectionEnabled", False)
            self.client.update_table(TableName=target, DeletionProtectionEnabled=protected)

    def agree(self) -> Corrections:
        """Take over what must not go back in time, and count everything again."""
        try:
            return asyncio.run(self._agree())
        except StoreError as error:
            raise DeploymentFailed(f"The restored tables could not be made to agree: {error}") from error

    async def _agree(self) -> Corrections:
        async with AsyncExitStack() as stack:
            aws = AwsClients(self.stack.region, stack, LogListener(), outbound=outbound(), timeouts=PATIENT)
            client = await aws.dynamodb()
            restored = RestoredStore(client, self.prefix)
            await restored.take_over(RestoredStore(client, self.present_prefix))
            return await restored.recount(now=await restored.time())

    def _switch_on_backups(self, table: str) -> None:
        """DynamoDB refuses that for some minutes to a table that it has just made."""
        for attempt in range(BACKUPS_ATTEMPTS):
            try:
                self.client.update_continuous_backups(
                    TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
                )
            except self.client.exceptions.ContinuousBackupsUnavailableException:
                if attempt + 1 == BACKUPS_ATTEMPTS:
                    raise
                time.sleep(WAITING["Delay"])
            else:
                return

    def _copy_expiry(self, source: str, target: str) -> None:
        wanted, is_so = (
            self.client.describe_time_to_live(TableName=table)["TimeToLiveDescription"] for table in (source, target)
        )
        # DynamoDB responds with an error to enabling what is enabled already.
        if "AttributeName" in wanted and "AttributeName" not in is_so:
            self.client.update_time_to_live(
                TableName=target,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": wanted["AttributeName"]},
            )

    def _copy_tags(self, source: str, target: str) -> None:
        """Copy the tags, except those that only AWS may set."""
        arns = [self.client.describe_table(TableName=table)["Table"]["TableArn"] for table in (source, target)]
        found = self.client.list_tags_of_resource(ResourceArn=arns[0])["Tags"]
        if tags := [tag for tag in found if not tag["Key"].startswith("aws:")]:
            self.client.tag_resource(ResourceArn=arns[1], Tags=tags)


def restore(stack: Stack, at: datetime) -> None:
    """Restore the tables, and say how to use them. Raises DeploymentFailed."""
    restoration = Restoration(stack, at)
    with refusals("The tables could not be restored"):
        restoration.check()
        restoration.begin()
        restoration.wait()
        restoration.complete()
    say("Counting votes, ballots and calls again …")
    corrections = restoration.agree()
    say(
        f"The tables agree. Corrected: sayings {corrections.sayings}, voters {corrections.voters}, "
        f"comparisons {corrections.comparisons}, lines of counts {corrections.lines}."
    )
    if corrections.lost:
        say(f"Votes on sayings that are not stored, which count nowhere: {corrections.lost}.")
    say("\nNothing uses these tables yet. If you look around first, run this command once more afterwards: what is")
    say("taken down or asked to be forgotten meanwhile is not in them. This switches the stack over to them:")
    say(f"  make deploy STACK={stack.name} PARAMETERS='TableInfix={restoration.infix} Rollout=at-once'")
    say(f"Containers are switched over by their parameter TablePrefix={restoration.prefix}")


def moment(text: str) -> datetime:
    """Parse a time with its time zone, to the second."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no time zone; UTC is {text}Z")
    return at.astimezone(UTC).replace(microsecond=0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.restore", description=__doc__)
    parser.add_argument("--at", type=moment, required=True, metavar="TIME", help="such as 2026-11-28T11:59:00Z")
    parser.add_argument("--stack", default=NAME, help="the stack's name (%(default)s)")
    options = parser.parse_args()
    configure_logging()
    try:
        restore(Stack(options.stack), options.at)
    except DeploymentFailed as error:
        say(f"Cannot restore. {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
