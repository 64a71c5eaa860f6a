"""What each failure of DynamoDB means: a table by AWS's codes, and one by the SDK's classes for calls unanswered."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.errors import (
    ConditionFailed,
    Conflict,
    CredentialsExpired,
    CredentialsRejected,
    NoCredentials,
    Refused,
    RetryableError,
    StoreAccessDenied,
    StoreError,
    StoreTimeout,
    StoreUnreachable,
    Unanswered,
    WrongClock,
    WrongSchema,
)
from service.store.dynamodb.clock import date_of

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


@dataclass(frozen=True, slots=True)
class Meaning:
    """The error that a failure becomes, which decides whether the call is sent again, and its message."""

    error: type[StoreError]
    message: str

    def __call__(self) -> StoreError:
        return self.error(self.message)


_SAME_DATA = Meaning(Conflict, "The database was busy with the same data.")
_BUSY = Meaning(Refused, "The database is busy.")
_FAILED = Meaning(Unanswered, "The database failed.")
_REFUSED = Meaning(StoreError, "The database refused the request.")
_NO_TABLE = Meaning(WrongSchema, "A table of the database does not exist.")
_DENIED = Meaning(StoreAccessDenied, "The credentials do not permit the use of the tables.")
_REJECTED = Meaning(CredentialsRejected, "AWS rejects the credentials.")
_EXPIRED = Meaning(CredentialsExpired, "The AWS credentials have expired.")
_CLOCK = Meaning(WrongClock, "The clock of this machine is wrong.")
_NONE = Meaning(NoCredentials, "There are no AWS credentials.")
_UNREACHABLE = Meaning(StoreUnreachable, "There is no connection to the database.")
_SILENT = Meaning(StoreTimeout, "The database did not answer in time.")
_BROKEN_OFF = Meaning(Unanswered, "The database did not answer.")

_CONDITION = "ConditionalCheckFailed"

# AWS's codes: those of errors, and those that a cancelled transaction gives as the reasons for each of its writes. Any
# other code is a refusal that no further attempt can cure.
CODES: Mapping[str, Meaning] = {
    # Other writes to the same items are under way, which takes them only milliseconds.
    "TransactionConflict": _SAME_DATA,
    "TransactionConflictException": _SAME_DATA,
    "TransactionInProgressException": _SAME_DATA,
    "ReplicatedWriteConflictException": _SAME_DATA,
    # More was asked for than the tables or the account allow at the moment.
    "ProvisionedThroughputExceeded": _BUSY,
    "ProvisionedThroughputExceededException": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "Throttling": _BUSY,
    "ThrottlingError": _BUSY,
    "ThrottlingException": _BUSY,
    # DynamoDB failed, perhaps after it had carried the call out.
    "InternalFailure": _FAILED,
    "InternalServerError": _FAILED,
    "ServiceUnavailable": _FAILED,
    "ServiceUnavailableException": _FAILED,
    # The same request will always be refused.
    "DuplicateItem": _REFUSED,
    "IdempotentParameterMismatchException": _REFUSED,
    "ItemCollectionSizeLimitExceeded": _REFUSED,
    "ItemCollectionSizeLimitExceededException": _REFUSED,
    "SerializationException": _REFUSED,
    "ValidationError": _REFUSED,
    "ValidationException": _REFUSED,
    # An operator has to act.
    "ResourceNotFound": _NO_TABLE,
    "ResourceNotFoundException": _NO_TABLE,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "OptInRequired": _DENIED,
    "IncompleteSignature": _REJECTED,
    "IncompleteSignatureException": _REJECTED,
    "InvalidClientTokenId": _REJECTED,
    "InvalidSignatureException": _REJECTED,
    "MissingAuthenticationToken": _REJECTED,
    "MissingAuthenticationTokenException": _REJECTED,
    "SignatureDoesNotMatch": _REJECTED,
    "UnrecognizedClientException": _REJECTED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _CLOCK,
    "RequestInTheFuture": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
}

# The SDK's classes for calls without a response, by the first of the names that a class or one of its bases has.
CLASSES: Mapping[str, Meaning] = {
    "ReadTimeoutError": _SILENT,
    "ConnectTimeoutError": _SILENT,
    "EndpointConnectionError": _UNREACHABLE,
    "ProxyConnectionError": _UNREACHABLE,
    "SSLError": _UNREACHABLE,
    "NoCredentialsError": _NONE,
    "PartialCredentialsError": _NONE,
    "CredentialRetrievalError": _NONE,
    "MetadataRetrievalError": _NONE,
    "AwsCredentialsMissing": _NONE,
    "AwsCredentialsEnded": _EXPIRED,
    "HTTPClientError": _BROKEN_OFF,
    "ConnectionError": _BROKEN_OFF,
    "OSError": _BROKEN_OFF,
    "BotoCoreError": Meaning(StoreError, "The database could not be asked."),
}

# How AWS begins its message when a signature is right except for its time.
_SKEWED = ("Signature expired", "Signature not yet current")


@contextmanager
def translated() -> Iterator[None]:
    """Turn every error of the SDK into a StoreError with a message of ours."""
    # Imported here, because a process with a client has loaded botocore already, and others should not pay for it.
    from botocore.exceptions import ClientError

    try:
        yield
    except StoreError:
        raise
    except ClientError as error:
        raise _from_client_error(error) from error
    except Exception as error:
        names = (each.__name__ for each in type(error).__mro__)
        meaning = next((CLASSES[name] for name in names if name in CLASSES), None)
        # botocore has no error for an undocumented response and fails while parsing it.
        raise meaning() if meaning else Unanswered("The database's answer makes no sense.") from error


def _from_client_error(error: "ClientError") -> StoreError:
    response: Mapping[str, Any] = error.response
    code, message = (str(response.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
    if code == "TransactionCanceledException":
        return _from_reasons(response.get("CancellationReasons", []))
    if code == f"{_CONDITION}Exception":
        return ConditionFailed((True,))
    meaning = _CLOCK if message.startswith(_SKEWED) else CODES.get(code)
    if meaning is _CLOCK:
        return WrongClock(_how_wrong(response))
    if meaning is not None:
        return meaning()
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return _FAILED() if status >= 500 else _REFUSED()


def _from_reasons(reasons: Sequence[Mapping[str, Any]]) -> StoreError:
    """The error of a cancelled transaction, which has a reason for each write, `None` for those that are not to blame.

    What no further attempt can cure comes first, then what asks for another decision, then the fewest attempts.
    """
    codes = [str(reason.get("Code", "None")) for reason in reasons]
    found = [CODES.get(code, _REFUSED) for code in codes if code not in ("None", _CONDITION)]
    if incurable := [meaning for meaning in found if not issubclass(meaning.error, RetryableError)]:
        return incurable[0]()
    if _CONDITION in codes:
        met = tuple(reason.get("Item") for reason in reasons)
        return ConditionFailed(tuple(code == _CONDITION for code in codes), met)
    return next((meaning() for meaning in (_FAILED, _BUSY, _SAME_DATA) if meaning in found), _REFUSED())


def _how_wrong(response: Mapping[str, Any]) -> str:
    """The message of a wrong clock, which says how wrong it is if the response has a date."""
    date = date_of(response)
    if date is None:
        return _CLOCK.message
    minutes = round((time.time() - date.timestamp()) / 60)
    return f"The clock of this machine is {abs(minutes)} minutes {'fast' if minutes > 0 else 'slow'}."
