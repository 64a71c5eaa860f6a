"""The stores of processes under test, and what tests read from and do to them from outside."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from service.llm.billing import spend_window
from service.store.dynamodb import DynamoStore
from tests.aws import REGION
from tests.faults.proxy import AwsProxy, held, reset
from tests.http.conftest import SIMULATED

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient


class Place(Protocol):
    """A store, for processes that are started with `environ`."""

    @property
    def environ(self) -> dict[str, str]: ...

    async def seed(self) -> None:
        """Put a saying there, unless the store brings its own."""

    async def spent(self) -> int:
        """The nanodollars spent today."""

    def hold(self) -> AbstractContextManager[None]:
        """No vote gets through while in the block."""

    def lose_connections(self) -> None:
        """Drop connections, as happens to a process that sleeps."""


@dataclass(frozen=True)
class OneFile:
    """An SQLite file, which brings the collection along."""

    path: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"SAYINGS_STORE": f"sqlite:///{self.path}"}

    async def seed(self) -> None:
        """Do nothing: the collection is there already."""

    async def spent(self) -> int:
        day = spend_window(time.time()).day
        with closing(sqlite3.connect(self.path)) as database:
            return sum(
                nanos
                for (nanos,) in database.execute("SELECT nanos FROM spend WHERE share = '' AND period = ?", (day,))
            )

    @contextmanager
    def hold(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    def lose_connections(self) -> None:
        """Do nothing: SQLite has no connections to lose."""


@dataclass(frozen=True)
class Tables:
    """Empty tables behind the proxy; `dynamodb` and `store` go past it, with patience."""

    proxy: AwsProxy
    prefix: str
    dynamodb: "DynamoDBClient"

    @property
    def store(self) -> DynamoStore:
        return DynamoStore(self.dynamodb, self.prefix)

    @property
    def address(self) -> str:
        return f"dynamodb://{self.prefix}"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "SAYINGS_STORE": self.address,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.proxy.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    async def seed(self) -> None:
        await self.store.put_sayings([SIMULATED])

    async def spent(self) -> int:
        return (await self.store.spend(spend_window(time.time()))).day

    @contextmanager
    def hold(self) -> Iterator[None]:
        go_on = asyncio.Event()
        self.proxy.inject("TransactWriteItems", held(go_on), count=None)
        yield
        self.proxy.clear()
        go_on.set()

    def lose_connections(self) -> None:
        self.proxy.inject("*", reset, count=2)
