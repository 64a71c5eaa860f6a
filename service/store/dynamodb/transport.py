"""Sends calls to DynamoDB, translates its errors and retries the calls for which that is safe.

Whether a call may be sent again depends on how it failed: a call that was refused did nothing, but a call without a
response may have been carried out. The SDK's client must not retry calls itself (`total_max_attempts=1`), because it
does not know the difference.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from service.errors import ConditionFailed, Conflict, Refused, RetryableError, StoreError, Unanswered, WrongSchema
from service.resilience.retry_budget import RetryBudget

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

A = TypeVar("A", bound=Mapping[str, object])
T = TypeVar("T")

# The longest pause before the second attempt. It doubles with every further attempt, up to eight times as much.
PAUSE_SECONDS = 0.05
# How often `decide` runs its work before it gives up.
_DECISIONS = 10

_THROTTLES = {
    "ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ThrottlingError", "ThrottlingException",
}  # fmt: skip
_CONFLICTS = {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}


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
        await _pause(attempt)


def _may_be_repeated(error: RetryableError, attempt: int, retries: RetryBudget, *, repeatable: bool) -> bool:
    if attempt == error.attempts or (isinstance(error, Unanswered) and not repeatable):
        return False
    # Conflicts are a sign of many votes, not of an outage that retries would make worse, so they need no budget.
    return isinstance(error, Conflict) or retries.take()


async def decide(work: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `work`, which reads, decides and writes on the condition that nothing has changed meanwhile.

    It runs again when something has changed and it raised ConditionFailed. Raises StoreError when the data keep
    changing.
    """
    for attempt in range(1, _DECISIONS + 1):
        try:
            return await work()
        except ConditionFailed:
            await _pause(attempt)
    raise StoreError("The data kept changing under way.")


async def _pause(attempt: int) -> None:
    await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * 2 ** min(attempt - 1, 3)))


def _check_sender(response: Mapping[str, object]) -> None:
    """Raise Unanswered for a response with status 200 that is not from DynamoDB, whose responses all have a request id.

    The SDK accepts any 200 as an empty response, so that a stored saying would look unknown and a vote would be lost.
    """
    metadata = response["ResponseMetadata"]
    if not (isinstance(metadata, Mapping) and "RequestId" in metadata):
        raise Unanswered("Somebody else answered for the database.")


@contextmanager
def translated() -> Iterator[None]:
    """Turn every error of the SDK into a StoreError with a message of ours."""
    # Imported here, because a process with a client has loaded botocore already, and others should not pay for it.
    from botocore import exceptions as sdk

    try:
        yield
    except StoreError:
        raise
    except sdk.ClientError as error:
        raise _from_client_error(error) from error
    except (sdk.HTTPClientError, sdk.ConnectionError, OSError) as error:
        raise Unanswered("The database did not answer.") from error
    except sdk.BotoCoreError as error:
        raise StoreError("The database could not be asked.") from error
    except Exception as error:  # botocore has no error for an undocumented response and fails while parsing it
        raise Unanswered("The database's answer makes no sense.") from error


def _from_client_error(error: "ClientError") -> StoreError:
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ConditionalCheckFailedException":
        return ConditionFailed((True,))
    if code == "TransactionCanceledException":
        reasons = error.response.get("CancellationReasons", [])
        return _from_reasons([str(reason.get("Code", "None")) for reason in reasons])
    if code == "ResourceNotFoundException":
        return WrongSchema("A table of the database does not exist.")
    if code in _THROTTLES | _CONFLICTS:
        return _from_reasons([code])
    metadata = error.response.get("ResponseMetadata")
    if metadata is None or metadata["HTTPStatusCode"] >= 500:
        return Unanswered("The database failed.")
    return StoreError("The database refused the request.")


def _from_reasons(codes: list[str]) -> StoreError:
    failed = tuple(code == "ConditionalCheckFailed" for code in codes)
    if any(failed):
        return ConditionFailed(failed)
    if _CONFLICTS.issuperset(found := {code for code in codes if code != "None"}):
        return Conflict("The database was busy with the same data.")
    if (_THROTTLES | _CONFLICTS).issuperset(found):
        return Refused("The database is busy.")
    return StoreError("The database refused the request.")
