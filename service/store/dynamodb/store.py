"""The Store protocol on DynamoDB, put together from its parts. What the tables hold is drawn in tables.py."""

from service.store.dynamodb.comparisons import Comparisons
from service.store.dynamodb.coordination import Coordination
from service.store.dynamodb.counts import Counts
from service.store.dynamodb.items import text
from service.store.dynamodb.votes import Votes


class DynamoStore(Votes, Comparisons, Counts, Coordination):
    """The Store protocol on five tables, whose names start with `prefix`.

    The client stays its owner's, who closes it. It must not repeat calls by itself (see calls.py).
    """

    async def ping(self) -> None:
        await self._get(self._sayings, {"saying_id": text("ping")})

    async def close(self) -> None:
        """Nothing: the client is its owner's."""
