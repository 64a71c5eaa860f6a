"""The two stores, opened again and again on what they keep, and killed in the middle of votes."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from service.domain import Vote
from service.limits import DEFAULT_QUOTAS, Quotas
from service.store.base import Store
from service.store.dynamodb import DynamoStore
from service.store.sqlite import SqliteStore
from tests.store.conftest import Connect, Dynamo, dynamo_tables

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


class Backend(Protocol):
    """Where a store's data is."""

    async def open(self, quotas: Quotas) -> Store: ...

    async def kill(self, store: Store, votes: Sequence[Vote], moment: int) -> list[Vote]:
        """End the store's process at a moment of these votes, which are cast at once; those that it acknowledged."""

    async def close(self) -> None: ...


class OnSqlite:
    """The next of many files; what a killed process leaves is the file and its log as they were at that moment."""

    def __init__(self, files: Iterator[Path]) -> None:
        self._files = files
        self._file = next(files)

    async def open(self, quotas: Quotas) -> Store:
        return await SqliteStore.open(self._file, quotas=quotas)

    async def kill(self, store: Store, votes: Sequence[Vote], moment: int) -> list[Vote]:
        acknowledged: list[Vote] = []
        casting = [asyncio.create_task(_cast(store, [vote], acknowledged)) for vote in votes]
        while len(acknowledged) < min(moment, len(votes)):
            await asyncio.wait([task for task in casting if not task.done()], return_when=asyncio.FIRST_COMPLETED)
        in_time = acknowledged.copy()
        self._leave_a_copy()  # while the next vote is being written
        await asyncio.gather(*casting)
        await store.close()
        return in_time

    async def close(self) -> None:
        pass

    def _leave_a_copy(self) -> None:
        killed, self._file = self._file, next(self._files)
        shutil.copyfile(killed, self._file)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{killed}-wal", f"{self._file}-wal")


class OnDynamo:
    """Tables; a process that is killed sends no more, and never sees the answer to what it has sent."""

    def __init__(self, connect: Connect, url: str) -> None:
        self._connect = connect
        self._url = url
        self._stack = AsyncExitStack()
        self._dynamo: Dynamo | None = None
        self._quotas = DEFAULT_QUOTAS

    async def open(self, quotas: Quotas) -> Store:
        if self._dynamo is None:
            self._dynamo = await self._stack.enter_async_context(dynamo_tables(self._connect, self._url))
        self._quotas = quotas
        return DynamoStore(self._dynamo.client, self._dynamo.prefix, quotas)

    async def kill(self, store: Store, votes: Sequence[Vote], moment: int) -> list[Vote]:
        assert self._dynamo is not None
        acknowledged: list[Vote] = []
        client = _DyingClient(self._dynamo.client, moment)
        dying = DynamoStore(cast("DynamoDBClient", client), self._dynamo.prefix, self._quotas)
        casting = asyncio.create_task(_cast(dying, votes, acknowledged))
        death = asyncio.create_task(client.dead.wait())
        await asyncio.wait([casting, death], return_when=asyncio.FIRST_COMPLETED)
        if casting.done():
            casting.result()  # a vote that fails without a crash is a defect
        for task in (casting, death):
            task.cancel()
        await asyncio.gather(casting, death, return_exceptions=True)
        return acknowledged

    async def close(self) -> None:
        await self._stack.aclose()


class _DyingClient:
    """Sends so many writes and then nothing any more; of the last one the answer is not seen, if it is sent at all."""

    def __init__(self, client: "DynamoDBClient", moment: int) -> None:
        self._client = client
        self._writes, self._last_is_sent = moment // 2, moment % 2 == 1
        self.exceptions = client.exceptions
        self.dead = asyncio.Event()

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self._client, operation)
        return self._write(call) if operation == "transact_write_items" else call

    def _write(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def write(**request: Any) -> Any:
            self._writes -= 1
            if self._writes >= 0:
                return await call(**request)
            if self._last_is_sent:
                await call(**request)
            self.dead.set()
            return await asyncio.Event().wait()

        return write


async def _cast(store: Store, votes: Iterable[Vote], acknowledged: list[Vote]) -> None:
    for vote in votes:
        await store.vote(vote)
        acknowledged.append(vote)
