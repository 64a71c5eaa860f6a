"""The Store protocol on DynamoDB, assembled from its parts. The tables are described in tables.py."""

from service.store.dynamodb.coordination import DynamoCoordination
from service.store.dynamodb.counts import DynamoCounts
from service.store.dynamodb.items import text
from service.store.dynamodb.retention import DynamoRetention


class DynamoStore(DynamoRetention, DynamoCounts, DynamoCoordination):
    """The Store protocol on five tables, whose names start with `prefix`.

    The caller owns the client and closes it. The client must not retry by itself (see transport.py).
    """

    async def ping(self) -> None:
        await self._get(self._sayings, {"saying_id": text("ping")})

    async def close(self) -> None:
        """Do nothing, because the client belongs to the caller."""
