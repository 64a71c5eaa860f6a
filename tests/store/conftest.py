"""Both stores, each test with one of its own: SQLite in a file, DynamoDB on a moto server."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aioboto3
import pytest
from aiobotocore.config import AioConfig

from service.limits import DEFAULT_QUOTAS, Quotas
from service.store.base import Store
from service.store.dynamodb import TABLES, DynamoStore, create_tables, transport
from service.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

Connect = Callable[[str], "AbstractAsyncContextManager[DynamoDBClient]"]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make DynamoDB's refused transactions be tried again at once."""
    monkeypatch.setattr(transport, "PAUSE_SECONDS", 0)


@pytest.fixture(scope="session")
def connect() -> Connect:
    """Open a DynamoDB client for an endpoint; nothing of it comes from the environment."""
    session = aioboto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")
    config = AioConfig(connect_timeout=60, read_timeout=60, max_pool_connections=20, retries={"total_max_attempts": 1})
    return lambda url: session.client("dynamodb", endpoint_url=url, config=config)


@dataclass(frozen=True, slots=True)
class Dynamo:
    """A DynamoDB with empty tables."""

    client: "DynamoDBClient"
    prefix: str

    @property
    def store(self) -> DynamoStore:
        return DynamoStore(self.client, self.prefix)


@asynccontextmanager
async def dynamo_tables(connect: Connect, url: str) -> AsyncIterator[Dynamo]:
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    async with connect(url) as client:
        await create_tables(client, prefix)
        yield Dynamo(client, prefix)
        for table in TABLES:
            await client.delete_table(TableName=prefix + table)


@pytest.fixture
async def dynamo(connect: Connect, moto_url: str) -> AsyncIterator[Dynamo]:
    async with dynamo_tables(connect, moto_url) as dynamo:
        yield dynamo


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "sayings.db")
    yield store
    await store.close()


OpenStore = Callable[[Quotas], Awaitable[Store]]


@pytest.fixture(params=["sqlite", "dynamodb"])
async def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, connect: Connect, moto_url: str
) -> AsyncIterator[OpenStore]:
    """Open the test's one store on what is stored so far, with quotas. On every backend."""
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":

            async def open_with(quotas: Quotas) -> Store:
                opened = await SqliteStore.open(tmp_path / "sayings.db", quotas=quotas)
                stack.push_async_callback(opened.close)
                return opened

        else:
            dynamo = await stack.enter_async_context(dynamo_tables(connect, moto_url))

            async def open_with(quotas: Quotas) -> Store:
                return DynamoStore(dynamo.client, dynamo.prefix, quotas=quotas)

        yield open_with


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    """The contract is tested on every backend."""
    return await open_store(DEFAULT_QUOTAS)
