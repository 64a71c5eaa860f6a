"""DynamoDB tables for functions under test, on a moto server."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from service.aws import clients as aws_clients
from service.aws.clients import AwsClients
from service.domain import Saying
from service.store.dynamodb import DynamoStore, create_tables
from tests.aws import REGION


def tables_with(sayings: Sequence[Saying], moto_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Tables of one's own; what a function needs in its environment for them, and the AWS SDK in ours."""
    prefix = f"lambdas-{uuid.uuid4().hex[:12]}-"
    # Patient, unlike the service: moto's first answer takes seconds.
    monkeypatch.setattr(aws_clients, "READ_SECONDS", 60.0)
    monkeypatch.setattr(aws_clients, "CONNECT_SECONDS", 60.0)
    aws = {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    asyncio.run(_fill(prefix, sayings))
    return aws | {"SAYINGS_STORE": f"dynamodb://{prefix}"}


async def _fill(prefix: str, sayings: Sequence[Saying]) -> None:
    async with AsyncExitStack() as stack:
        client = await AwsClients(REGION, stack).dynamodb()
        await create_tables(client, prefix)
        await DynamoStore(client, prefix).put_sayings(sayings)
