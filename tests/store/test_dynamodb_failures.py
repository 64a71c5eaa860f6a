"""What each failure of DynamoDB becomes, row by row, and how often the call is then sent."""

from collections.abc import Callable
from email.utils import formatdate
from time import time
from typing import Any, cast

import botocore.exceptions as sdk
import pytest
from botocore.exceptions import ClientError

from service.errors import (
    AwsCredentialsEnded,
    AwsCredentialsMissing,
    ConditionFailed,
    Conflict,
    CredentialsExpired,
    CredentialsRejected,
    NoCredentials,
    Refused,
    StoreAccessDenied,
    StoreError,
    StoreTimeout,
    StoreUnreachable,
    Unanswered,
    WrongClock,
    WrongSchema,
    cause_of,
)
from service.resilience.retry_budget import RetryBudget
from service.store.dynamodb import TABLES, DynamoStore
from service.store.dynamodb.failures import CODES, translated
from service.store.dynamodb.transport import send
from tests.store.clients import cancelled, error, faulty
from tests.store.conftest import Dynamo

TOO_EARLY = "Signature expired: 20261129T120000Z is now earlier than 20261129T121140Z"
TOO_LATE = "Signature not yet current: 20261129T123000Z is still later than 20261129T121820Z"
URL = "https://dynamodb.eu-west-1.amazonaws.com/main_humor"

# AWS's codes, the error that each becomes, and how often a transaction is sent that always fails with it. The first are
# all that TransactWriteItems documents, and the reasons that it gives for single writes.
CASES: list[tuple[str, type[StoreError], int]] = [
    ("TransactionConflict", Conflict, 10),
    ("TransactionConflictException", Conflict, 10),
    ("TransactionInProgressException", Conflict, 10),
    ("ReplicatedWriteConflictException", Conflict, 10),
    ("ProvisionedThroughputExceeded", Refused, 3),
    ("ProvisionedThroughputExceededException", Refused, 3),
    ("RequestLimitExceeded", Refused, 3),
    ("Throttling", Refused, 3),
    ("ThrottlingError", Refused, 3),
    ("ThrottlingException", Refused, 3),
    ("InternalFailure", Unanswered, 3),
    ("InternalServerError", Unanswered, 3),
    ("ServiceUnavailable", Unanswered, 3),
    ("ServiceUnavailableException", Unanswered, 3),
    ("DuplicateItem", StoreError, 1),
    ("IdempotentParameterMismatchException", StoreError, 1),
    ("ItemCollectionSizeLimitExceeded", StoreError, 1),
    ("ItemCollectionSizeLimitExceededException", StoreError, 1),
    ("SerializationException", StoreError, 1),
    ("ValidationError", StoreError, 1),
    ("ValidationException", StoreError, 1),
    ("ResourceNotFound", WrongSchema, 1),
    ("ResourceNotFoundException", WrongSchema, 1),
    ("AccessDenied", StoreAccessDenied, 1),
    ("AccessDeniedException", StoreAccessDenied, 1),
    ("OptInRequired", StoreAccessDenied, 1),
    ("IncompleteSignature", CredentialsRejected, 1),
    ("IncompleteSignatureException", CredentialsRejected, 1),
    ("InvalidClientTokenId", CredentialsRejected, 1),
    ("InvalidSignatureException", CredentialsRejected, 1),
    ("MissingAuthenticationToken", CredentialsRejected, 1),
    ("MissingAuthenticationTokenException", CredentialsRejected, 1),
    ("SignatureDoesNotMatch", CredentialsRejected, 1),
    ("UnrecognizedClientException", CredentialsRejected, 1),
    ("ExpiredToken", CredentialsExpired, 1),
    ("ExpiredTokenException", CredentialsExpired, 1),
    ("RequestExpired", WrongClock, 1),
    ("RequestInTheFuture", WrongClock, 1),
    ("RequestTimeTooSkewed", WrongClock, 1),
    ("ANewCode", StoreError, 1),
]


def test_every_row_of_the_table_is_tried() -> None:
    assert {code for code, _, _ in CASES} == {*CODES, "ANewCode"}


def as_error(code: str) -> Exception:
    return error(code)


def as_reason(code: str) -> Exception:
    """As the reason why a transaction was cancelled."""
    return cancelled("None", code, "None")


FORMS = pytest.mark.parametrize("form", [as_error, as_reason], ids=lambda form: form.__name__)


class Failing:
    """A call that raises each of some errors, one a time, and then returns."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = list(faults)
        self.sent = 0

    async def __call__(self) -> dict[str, Any]:
        self.sent += 1
        if self._faults:
            raise self._faults.pop(0)
        return {"ResponseMetadata": {"RequestId": "one"}}


@FORMS
@pytest.mark.parametrize(("code", "kind", "attempts"), CASES)
async def test_a_code_decides_what_it_is_and_how_often_it_is_sent(
    code: str, kind: type[StoreError], attempts: int, form: Callable[[str], Exception]
) -> None:
    call = Failing(*[form(code)] * 20)

    with pytest.raises(StoreError) as raised:
        await send(call, RetryBudget(20.0), repeatable=True)

    assert (type(raised.value), call.sent) == (kind, attempts)
    assert code in cause_of(raised.value)


@FORMS
@pytest.mark.parametrize(("code", "attempts"), [(code, attempts) for code, _, attempts in CASES if attempts > 1])
async def test_what_passes_in_time_costs_nobody_a_vote(
    code: str, attempts: int, form: Callable[[str], Exception]
) -> None:
    call = Failing(*[form(code)] * (attempts - 1))

    await send(call, RetryBudget(20.0), repeatable=True)

    assert call.sent == attempts


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (("ConditionalCheckFailed", "TransactionConflict"), ConditionFailed),
        (("ConditionalCheckFailed", "ValidationError"), StoreError),
        (("TransactionConflict", "ThrottlingError"), Refused),
        (("TransactionConflict", "InternalServerError"), Unanswered),
        (("TransactionConflict", "ItemCollectionSizeLimitExceeded"), StoreError),
        (("None", "None"), StoreError),
        ((), StoreError),
    ],
)
def test_of_several_reasons_the_gravest_decides(reasons: tuple[str, ...], kind: type[StoreError]) -> None:
    with pytest.raises(StoreError) as raised, translated():
        raise cancelled(*reasons)

    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (sdk.ReadTimeoutError(endpoint_url=URL), StoreTimeout),
        (sdk.ConnectTimeoutError(endpoint_url=URL), StoreTimeout),
        (sdk.EndpointConnectionError(endpoint_url=URL), StoreUnreachable),
        (sdk.ProxyConnectionError(proxy_url=URL), StoreUnreachable),
        (sdk.SSLError(endpoint_url=URL, error=OSError("x")), StoreUnreachable),
        (sdk.ConnectionClosedError(endpoint_url=URL), Unanswered),
        (sdk.HTTPClientError(error=OSError("x")), Unanswered),
        (OSError("x"), Unanswered),
        (KeyError("Responses"), Unanswered),
        (sdk.NoCredentialsError(), NoCredentials),
        (sdk.PartialCredentialsError(provider="x", cred_var="y"), NoCredentials),
        (sdk.CredentialRetrievalError(provider="x", error_msg="y"), NoCredentials),
        (sdk.MetadataRetrievalError(error_msg="y"), NoCredentials),
        (AwsCredentialsMissing("x"), NoCredentials),
        (AwsCredentialsEnded("x"), CredentialsExpired),
        (sdk.ParamValidationError(report="x"), StoreError),
        (error("ANewCode", 500), Unanswered),
    ],
    ids=lambda fault: type(fault).__name__ if isinstance(fault, Exception) else fault.__name__,
)
def test_a_class_of_the_sdk_decides_where_there_is_no_code(fault: Exception, kind: type[StoreError]) -> None:
    with pytest.raises(StoreError) as raised, translated():
        raise fault

    assert (type(raised.value), raised.value.__cause__) == (kind, fault)


def skewed(seconds: float, message: str) -> ClientError:
    """AWS's answer to a signature of another time. Our clock is so many seconds ahead of AWS's."""
    headers = {"date": formatdate(time() - seconds, usegmt=True)}
    response = {
        "Error": {"Code": "InvalidSignatureException", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": headers},
    }
    return ClientError(cast("Any", response), "GetItem")


@pytest.mark.parametrize(
    ("seconds", "message", "line"),
    [
        (-1020, TOO_EARLY, "The clock of this machine is 17 minutes slow."),
        (1020, TOO_LATE, "The clock of this machine is 17 minutes fast."),
    ],
)
def test_a_wrong_clock_says_how_wrong_it_is(seconds: float, message: str, line: str) -> None:
    with pytest.raises(WrongClock) as raised, translated():
        raise skewed(seconds, message)

    assert str(raised.value) == line


async def test_no_table_wrong_region_no_credentials_and_wrong_clock_are_four_lines(
    dynamo: Dynamo,
) -> None:
    await dynamo.client.delete_table(TableName=f"{dynamo.prefix}saying_feedback")
    no_table = dynamo.store
    elsewhere = DynamoStore(dynamo.client, "tables-of-another-region-")
    no_credentials, _ = faulty(dynamo, get_item=[sdk.NoCredentialsError()] * 3)
    wrong_clock, _ = faulty(dynamo, get_item=[skewed(-1020, TOO_EARLY)] * 3)

    found = []
    for store in (no_table, elsewhere, no_credentials, wrong_clock):
        with pytest.raises(StoreError) as raised:
            await store.ping()
        found.append((raised.value.state, cause_of(raised.value), str(raised.value)))
    await dynamo.client.create_table(TableName=f"{dynamo.prefix}saying_feedback", **TABLES["saying_feedback"])

    assert found == [
        ("wrong_schema", "ResourceNotFoundException", "A table of the database does not exist."),
        ("no_tables", "ResourceNotFoundException", "None of the tables exists in us-east-1."),
        ("no_credentials", "NoCredentialsError", "There are no AWS credentials."),
        ("wrong_clock", "InvalidSignatureException", "The clock of this machine is 17 minutes slow."),
    ]
