"""AWS credentials that end, as those of a container or a role do: new ones are fetched apart from any request.

The SDK would fetch them inside a request: in the last fifteen minutes in one request at a time, and in the last ten
minutes in every one. A request that cannot fetch them fails then, although its credentials are still valid.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from service.errors import AwsCredentialsEnded, AwsCredentialsMissing, name_of
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import DependencyFailed, Listener

# New credentials are fetched this long before the end of those in use. Their sources have new ones by then.
AHEAD_SECONDS = 15 * 60


class KeptCredentials:
    """Keeps refreshable credentials of the SDK valid by `refresh`, which a job has to call every few seconds.

    Requests go on with what is valid. Only one that finds the credentials ended waits for new ones, for a moment. There
    is never more than one fetch, and a pause after each. `clock` is a monotonic clock in seconds. Must be closed.
    """

    def __init__(
        self,
        credentials: Any,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self._listener = listener
        self._timeouts = timeouts
        self._clock = clock
        self._fetching: asyncio.Task[None] | None = None
        self._rest_until = -float("inf")
        self._have_failed = False
        # The SDK calls this before each use. Its two limits are constants, so there is no public way to change them.
        credentials._refresh = self._before_use
        # It would log each failure, with its stack. We report it.
        logging.getLogger("aiobotocore.credentials").setLevel(logging.ERROR)

    @property
    def are_ending(self) -> bool:
        """Whether they end soon, and new ones could not be fetched."""
        return self._have_failed and self._end_within(AHEAD_SECONDS)

    async def refresh(self, ahead: float = AHEAD_SECONDS) -> None:
        """Fetch new credentials if those in use end within so many seconds. A failure is reported."""
        if self._end_within(ahead):
            await asyncio.wait([self._fetch()])

    async def close(self) -> None:
        """Cancel the fetch that is still running."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _before_use(self) -> None:
        """Raises AwsCredentialsMissing when there are no valid credentials and none come in time."""
        if not self._end_within(0):
            return
        await asyncio.wait([self._fetch()], timeout=self._timeouts.credentials_wait)
        if not self._end_within(0):
            return
        if self._have_never_come:
            raise AwsCredentialsMissing("There are no AWS credentials.")
        raise AwsCredentialsEnded("The AWS credentials have expired, and there are no new ones.")

    @property
    def _have_never_come(self) -> bool:
        """Whether not even the first ones could be fetched. Those of roles are fetched as late as they can be."""
        return self._credentials._frozen_credentials is None

    def _end_within(self, seconds: float) -> bool:
        return bool(self._credentials.refresh_needed(seconds))

    def _fetch(self) -> asyncio.Task[None]:
        """The fetch that is running, or else the last one while there is a pause after it, or else a new one."""
        if self._fetching is None or (self._fetching.done() and self._clock() >= self._rest_until):
            self._fetching = asyncio.create_task(self._fetch_now(), name="fetch AWS credentials")
        return self._fetching

    async def _fetch_now(self) -> None:
        try:
            async with asyncio.timeout(self._timeouts.credentials_fetch):
                await self._credentials._protected_refresh(is_mandatory=True)
        except Exception as error:  # noqa: BLE001 - each source of credentials has its own errors
            self._have_failed = True
            self._report(error)
        else:
            self._have_failed = False
        finally:
            self._rest_until = self._clock() + self._timeouts.credentials_check_every

    def _report(self, error: Exception) -> None:
        message = "There are no AWS credentials any more, and no new ones could be fetched."
        if self._have_never_come:
            message = "There are no AWS credentials: they could not be fetched."
        elif not self._end_within(0):
            minutes = int(self._credentials._seconds_remaining() // 60)
            message = f"New AWS credentials could not be fetched. Those in use end in {minutes} minutes."
        self._listener.emit(
            DependencyFailed("credentials", "refresh", "CredentialsNotRefreshed", message, name_of(error))
        )
