"""AWS clients: one session, one client per service for the life of the process, made when first asked for."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiobotocore.config import AioConfig
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_ssm.client import SSMClient

CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
CONNECTIONS = 50


class AwsClients:
    """Opens clients on the stack, which closes them. Their own retries are off: who calls them owns the time."""

    def __init__(self, region: str, stack: AsyncExitStack) -> None:
        self._region = region
        self._stack = stack

    async def dynamodb(self) -> "DynamoDBClient":
        import aioboto3  # a second of imports that one machine without AWS never pays

        return await self._stack.enter_async_context(
            aioboto3.Session(region_name=self._region).client("dynamodb", config=_config())
        )

    async def ssm(self) -> "SSMClient":
        import aioboto3

        return await self._stack.enter_async_context(
            aioboto3.Session(region_name=self._region).client("ssm", config=_config())
        )


def _config() -> "AioConfig":
    from aiobotocore.config import AioConfig

    return AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
