"""The Store protocol on DynamoDB, assembled from its parts. The tables are described in tables.py."""

import asyncio

from service.errors import NoTables, WrongSchema
from service.store.dynamodb import writes
from service.store.dynamodb.coordination import DynamoCoordination
from service.store.dynamodb.counts import DynamoCounts
from service.store.dynamodb.items import comparison_key, saying_key, vote_key
from service.store.dynamodb.lists import DynamoLists
from service.store.dynamodb.retention import DynamoRetention


class DynamoStore(DynamoRetention, DynamoLists, DynamoCounts, DynamoCoordination):
    """The Store protocol on five tables, whose names start with `prefix`.

    The caller owns the client and closes it. The client must not retry by itself (see transport.py).
    """

    async def ping(self) -> None:
        """Every vote reads and writes these tables."""
        done = await asyncio.gather(
            self._update(writes.note_check(self._state, at=self._clock.now()), repeatable=True),
            self._get(self._sayings, saying_key("ping")),
            self._get(self._feedback, vote_key("ping", "ping")),
            self._get(self._comparisons, comparison_key("ping")),
            return_exceptions=True,
        )
        failures = [each for each in done if isinstance(each, BaseException)]
        if len(failures) == len(done) and all(isinstance(failure, WrongSchema) for failure in failures):
            raise NoTables(f"None of the tables exists in {self._client.meta.region_name}.") from failures[0].__cause__
        if failures:
            raise failures[0]

    async def close(self) -> None:
        """Do nothing, because the client belongs to the caller."""
