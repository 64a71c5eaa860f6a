"""AWS clients: one session, whose credentials are kept valid, and one client for each service that is needed."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from service.aws.credentials import KeptCredentials
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
        self._credentials: KeptCredentials | None = None
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
                session = await self._open_session()
                opening = session.client(service, config=_config(self._timeouts))
                client = await self._stack.enter_async_context(opening)
            CallWatch(self._region, self._listener).watch(client)
            self._clients[service] = client
        return self._clients[service]

    @property
    def are_credentials_ending(self) -> bool:
        """Whether the credentials end soon, and new ones could not be fetched."""
        return self._credentials is not None and self._credentials.are_ending

    async def keep_credentials(self) -> None:
        """Fetch new credentials if those in use end soon. A process that runs for long has to call this."""
        if self._credentials is not None:
            await self._credentials.refresh()

    async def run(self) -> None:
        """Keep the credentials until cancelled."""
        while True:
            await self.keep_credentials()
            await asyncio.sleep(self._timeouts.credentials_check_every)

    async def _open_session(self) -> "Session":
        import aioboto3  # it takes a second, which a process without AWS saves
        from aiobotocore.credentials import AioRefreshableCredentials

        from service.aws.sessions import open_session

        if self._session is None:
            session = aioboto3.Session(region_name=self._region, botocore_session=open_session(self._outbound))
            loading: Any = session.get_credentials()  # its type says that it need not be awaited
            credentials = await loading
            if isinstance(credentials, AioRefreshableCredentials):
                self._credentials = KeptCredentials(credentials, self._listener, timeouts=self._timeouts)
                self._stack.push_async_callback(self._credentials.close)
                await self._credentials.refresh(ahead=0)  # those of a role to be assumed are not there yet
            self._session = session
        return self._session


@contextmanager
def _translated_errors() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, CredentialRetrievalError, ProfileNotFound

    try:
        yield
    except CredentialRetrievalError as error:  # its text holds what their source has answered
        raise ConfigError("AWS credentials", "the AWS SDK cannot get them from their source") from error
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
