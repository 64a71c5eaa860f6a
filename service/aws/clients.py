"""AWS clients: one session, and one client for each service, which is made when it is first needed."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from service.aws.instrumentation import CallWatch
from service.errors import ConfigError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import SILENCE, Listener
from telemetry.outbound import DIRECT, Outbound

if TYPE_CHECKING:
    from aioboto3 import Session
    from aiobotocore.config import AioConfig
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_lambda.client import LambdaClient
    from types_aiobotocore_ssm.client import SSMClient

CONNECTIONS = 50


class AwsClients:
    """Opens clients on the stack, which closes them. They live as long as the process.

    The SDK's own retries are off, because the callers decide on time and retries. Raises ConfigError when the AWS SDK
    does not accept its settings.
    """

    def __init__(
        self,
        region: str,
        stack: AsyncExitStack,
        listener: Listener = SILENCE,
        *,
        outbound: Outbound = DIRECT,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._region = region
        self._outbound = outbound
        self._timeouts = timeouts
        self._listener = listener
        self._stack = stack
        self._session: Session | None = None
        self._clients: dict[str, Any] = {}

    async def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = await self._client("dynamodb")
        return client

    async def ssm(self) -> "SSMClient":
        client: SSMClient = await self._client("ssm")
        return client

    async def lambda_(self) -> "LambdaClient":
        client: LambdaClient = await self._client("lambda")
        return client

    async def _client(self, service: Any) -> Any:
        if service not in self._clients:
            with _translated_errors():
                opening = self._open_session().client(service, config=_config(self._timeouts))
                client = await self._stack.enter_async_context(opening)
            CallWatch(self._region, self._listener).watch(client)
            self._clients[service] = client
        return self._clients[service]

    def _open_session(self) -> "Session":
        import aioboto3  # it takes a second, which a process without AWS saves

        from service.aws.sessions import open_session

        if self._session is None:
            self._session = aioboto3.Session(region_name=self._region, botocore_session=open_session(self._outbound))
        return self._session


@contextmanager
def _translated_errors() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ProfileNotFound

    try:
        yield
    except ProfileNotFound as error:
        raise ConfigError("AWS_PROFILE", "there is no such profile") from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint is not a URL, or a number is not a number
        raise ConfigError("AWS settings", f"the AWS SDK does not accept them: {error}") from error


def _config(timeouts: Timeouts) -> "AioConfig":
    from aiobotocore.config import AioConfig

    return AioConfig(
        connect_timeout=timeouts.aws_connect,
        read_timeout=timeouts.aws_read,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
