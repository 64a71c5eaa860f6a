"""DynamoDB tables for functions under test, on a moto server."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from service.aws.clients import AwsClients
from service.domain import Saying
from service.store.dynamodb import DynamoStore, create_tables
from tests.aws import REGION
from tests.support import ORIGINAL_LINE_UP, PATIENT


def tables_with(sayings: Sequence[Saying], moto_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Create tables of the test's own; the environment that a function needs for them, which ours gets as well."""
    prefix = f"lambdas-{uuid.uuid4().hex[:12]}-"
    aws = {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    asyncio.run(_fill(prefix, sayings))
    return aws | ORIGINAL_LINE_UP | {"SAYINGS_STORE": f"dynamodb://{prefix}"}


async def _fill(prefix: str, sayings: Sequence[Saying]) -> None:
    async with AsyncExitStack() as stack:
        client = await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb()
        await create_tables(client, prefix)
        await DynamoStore(client, prefix).put_sayings(sayings)
