"""Asking the worker function for a round when the pools run low: once for the whole fleet, however many ask."""

import asyncio
import secrets
import time
from collections.abc import Callable

from service.aws.clients import AwsClients
from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.store.base import Store
from telemetry.events import DependencyFailed, Listener

TRIGGER_LEASE = "round-trigger"
# As long as the fleet rests after a round: nobody asks for one that would be refused.
TRIGGER_SECONDS = 60.0


class RoundTrigger:
    """Invokes the worker function asynchronously, under a lease that is never given back but runs out."""

    def __init__(
        self,
        function: str,
        store: Store,
        aws: AwsClients,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._function = function
        self._store = store
        self._aws = aws
        self._listener = listener
        self._seconds = timeouts.round_trigger
        self._clock = clock
        self._holder = secrets.token_hex(8)

    async def pull(self) -> bool:
        """Ask for a round; False when somebody has asked lately or it could not be asked for."""
        from botocore.exceptions import BotoCoreError, ClientError  # loaded with the client at the latest

        try:
            async with asyncio.timeout(self._seconds):
                return await self._pull()
        except (StoreError, BotoCoreError, ClientError, OSError) as error:
            message = "The worker function could not be asked for a round."
            cause = type(error.__cause__ or error).__name__
            self._listener.emit(DependencyFailed("worker", "invoke", "WorkerNotAsked", message, cause))
            return False

    async def _pull(self) -> bool:
        lease = await self._store.acquire_lease(TRIGGER_LEASE, self._holder, now=self._clock(), seconds=TRIGGER_SECONDS)
        if lease is None:
            return False
        client = await self._aws.lambda_()
        await client.invoke(FunctionName=self._function, InvocationType="Event", Payload=b"{}")
        return True
