"""Sends calls to DynamoDB and retries those for which that is safe.

Whether a call may be sent again depends on how it failed: a call that was refused did nothing, but a call without a
response may have been carried out. The SDK's client must not retry calls itself (`total_max_attempts=1`), because it
does not know the difference.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from service.errors import Conflict, RetryableError, Unanswered
from service.resilience.retry_budget import RetryBudget
from service.store.dynamodb.failures import translated

A = TypeVar("A", bound=Mapping[str, object])
T = TypeVar("T")

# The longest pause before the second attempt. It doubles with every further attempt, up to eight times as much.
PAUSE_SECONDS = 0.05


async def send(call: Callable[[], Awaitable[A]], retries: RetryBudget, *, repeatable: bool) -> A:
    """Send a call and return its response. Retry it after a jittered pause where that may help and can do no harm.

    `repeatable` is true when carrying out the call twice has the same effect as once. Raises StoreError.
    """
    retries.earn()
    attempt = 0
    while True:
        attempt += 1
        try:
            with translated():
                response = await call()
            _check_sender(response)
        except RetryableError as error:
            if not _may_be_repeated(error, attempt, retries, repeatable=repeatable):
                raise
        else:
            return response
        await pause(attempt)


def _may_be_repeated(error: RetryableError, attempt: int, retries: RetryBudget, *, repeatable: bool) -> bool:
    if attempt == error.attempts or (isinstance(error, Unanswered) and not repeatable):
        return False
    # Conflicts are a sign of many votes, not of an outage that retries would make worse, so they need no budget.
    return isinstance(error, Conflict) or retries.take()


async def pause(attempt: int) -> None:
    """Wait for a random time, which is longer the more attempts there have been."""
    await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * 2 ** min(attempt - 1, 3)))


def _check_sender(response: Mapping[str, object]) -> None:
    """Raise Unanswered for a response with status 200 that is not from DynamoDB, whose responses all have a request id.

    The SDK accepts any 200 as an empty response, so that a stored saying would look unknown and a vote would be lost.
    """
    metadata = response["ResponseMetadata"]
    if not (isinstance(metadata, Mapping) and "RequestId" in metadata):
        raise Unanswered("Somebody else answered for the database.")
