"""Every error of the service, in one tree.

CloudSayingsError
├── ConfigError                       an invalid setting; start-up ends with one line
├── InvocationFailed                  a Lambda invocation that has no result
├── AnalysisImpossible                the ballots do not say enough
├── AwsCredentialsMissing             nothing can be signed; the adapters of AWS's services translate it
│   └── AwsCredentialsEnded
├── BackupFailed                      there is no copy of the database
├── HttpError                         becomes the response: a status and a documented code
│   ├── RequestError                  the client's mistake
│   │   ├── InvalidRequest            400
│   │   ├── RouteNotFound             404
│   │   ├── SayingNotFound            404
│   │   ├── ComparisonNotFound        404
│   │   ├── Unauthorized              401
│   │   ├── MethodNotAllowed          405
│   │   ├── RequestTimeout            408
│   │   ├── SourceMismatch            409
│   │   ├── ComparisonNotShown        409
│   │   ├── ComparisonExpired         409
│   │   ├── SlotNotEligible           409
│   │   ├── SayingWithdrawn           410
│   │   ├── BodyTooLarge              413
│   │   ├── UnsupportedMediaType      415
│   │   └── RateLimited               429 with Retry-After
│   ├── UnavailableError              the client may try again later: 503 with Retry-After
│   │   ├── Overloaded
│   │   ├── NoSayingAvailable
│   │   ├── SayingsUnavailable
│   │   ├── VoteNotStored
│   │   ├── NotStored
│   │   ├── OperatorKeyUnavailable
│   │   ├── NotForgotten
│   │   ├── StatisticsUnavailable
│   │   ├── NothingToCompare
│   │   ├── ComparisonUnavailable
│   │   └── StorageFull               also a StoreError
│   └── InternalError                 500, a defect of the service
└── DependencyError                   something outside failed; callers fall back
    ├── StoreError
    │   ├── StoreReplaced
    │   ├── StoreReadOnly
    │   ├── WrongSchema
    │   │   └── NoTables
    │   ├── NoCredentials
    │   ├── CredentialsExpired
    │   ├── CredentialsRejected
    │   ├── StoreAccessDenied
    │   ├── WrongClock
    │   ├── LeaseLost
    │   ├── ConditionFailed
    │   └── RetryableError
    │       ├── Refused
    │       │   └── Conflict
    │       └── Unanswered
    │           ├── StoreTimeout
    │           └── StoreUnreachable
    ├── BudgetExhausted
    ├── ModelsBusy
    ├── WorkerNotAsked
    ├── KeyStoreError
    │   ├── KeyNotFound
    │   ├── KeyAccessDenied
    │   ├── KeyStoreThrottled
    │   └── KeyStoreUnavailable
    └── ModelError
        ├── ModelTimeout
        │   ├── ModelNotAsked
        │   └── ModelCutShort
        ├── ModelConnectionFailed
        │   └── ModelUnreachable
        ├── ModelRateLimited
        ├── ModelSpendLimitReached
        ├── ModelOverloaded
        │   └── ModelEdgeTimeout
        ├── ModelKeyRejected
        ├── ModelForbidden
        ├── ModelGone
        ├── ModelRequestRejected
        ├── ModelBreakerOpen
        ├── ModelBadResponse
        ├── ModelRefused
        └── ModelTruncated

Every message is written in this project: it never contains a key, a prompt, the name of a parameter or table, or text
from an SDK.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

_CODE = re.compile(r"[A-Za-z0-9_.]{1,64}")
_RETRY_AFTER = range(2, 9)


class CloudSayingsError(Exception):
    """The base class of every exception that this project raises on purpose."""


class ConfigError(CloudSayingsError):
    """A setting that cannot be used; the message starts with the setting's name."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting


class HttpError(CloudSayingsError):
    """An error that is sent to the client as the response.

    `status` is the HTTP status, `code` the documented code, and the message one clear sentence. `retry_after` is in
    seconds.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    message: ClassVar[str]

    def __init__(
        self, message: str | None = None, *, details: Sequence[str] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(message or self.message)
        self.details = tuple(details)
        self.retry_after = retry_after


class RequestError(HttpError):
    """The request cannot be fulfilled as the client sent it."""


class InvalidRequest(RequestError):
    status, code, message = 400, "invalid_request", "The request is not valid."


class RouteNotFound(RequestError):
    status, code, message = 404, "route_not_found", "There is nothing at this address."


class SayingNotFound(RequestError):
    status, code, message = 404, "saying_not_found", "No such saying is known."


class SayingWithdrawn(RequestError):
    status, code, message = 410, "saying_withdrawn", "This saying was taken down. It takes no votes and no reports."


class Unauthorized(RequestError):
    status, code, message = 401, "unauthorized", "This address needs the operators' key as a bearer token."


class MethodNotAllowed(RequestError):
    status, code, message = 405, "method_not_allowed", "This address does not answer that method."

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(details=[f"allowed: {', '.join(allowed)}"])
        self.allowed = tuple(allowed)


class RequestTimeout(RequestError):
    status, code, message = 408, "request_timeout", "The request did not arrive in time."


class SourceMismatch(RequestError):
    status, code, message = 409, "source_mismatch", "The source given is not the one that wrote this saying."


class ComparisonNotFound(RequestError):
    status, code, message = 404, "comparison_not_found", "No such comparison is known."


class ComparisonNotShown(RequestError):
    status, code, message = 409, "comparison_not_shown", "This comparison has not been shown to you."


class ComparisonExpired(RequestError):
    status, code, message = 409, "comparison_expired", "This comparison was shown more than a day ago."


class SlotNotEligible(RequestError):
    status, code, message = 409, "slot_not_eligible", "That slot has no saying to vote for."


class BodyTooLarge(RequestError):
    status, code, message = 413, "body_too_large", "The body is longer than this endpoint accepts."


class UnsupportedMediaType(RequestError):
    status, code, message = 415, "unsupported_media_type", "The body must be JSON in UTF-8, sent as application/json."


class RateLimited(RequestError):
    status, code, message = 429, "rate_limited", "Too many requests; please try again."


class UnavailableError(HttpError):
    """The request is not at fault: the same request may succeed later.

    `retry_after` is in seconds. By default it is drawn by lot, so that clients that were refused together come back one
    after the other.
    """

    def __init__(self, message: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after or random.choice(_RETRY_AFTER))


class Overloaded(UnavailableError):
    status, code, message = 503, "overloaded", "The server is overloaded; please try again."


class NoSayingAvailable(UnavailableError):
    status, code, message = 503, "no_saying_available", "No saying is available right now; please try again."


class SayingsUnavailable(UnavailableError):
    status, code, message = 503, "sayings_unavailable", "The sayings cannot be read right now; please try again."


class VoteNotStored(UnavailableError):
    status, code = 503, "store_unavailable"
    message = "The vote could not be stored; it is safe to send it again."


class NotStored(UnavailableError):
    status, code, message = 503, "not_stored", "This could not be stored; it is safe to send it again."


class OperatorKeyUnavailable(UnavailableError):
    status, code, message = 503, "key_unavailable", "The operators' key cannot be read right now; please try again."


class NotForgotten(UnavailableError):
    status, code = 503, "not_forgotten"
    message = "What is stored of you could not be deleted right now; it is safe to ask again."


class StatisticsUnavailable(UnavailableError):
    status, code, message = 503, "statistics_unavailable", "The statistics cannot be read right now; please try again."


class NothingToCompare(UnavailableError):
    status, code, message = 503, "nothing_to_compare", "Fewer than two models take part at the moment."


class ComparisonUnavailable(UnavailableError):
    """No model may be called now, and the voter has seen every stored comparison or they cannot be read."""

    status, code = 503, "comparison_unavailable"
    message = "No comparison is available right now; please try again later."


class InvocationFailed(CloudSayingsError):
    """A Lambda invocation ends without a result.

    Lambda counts it as an error and invokes the function again if it is configured to retry.
    """


class AnalysisImpossible(CloudSayingsError):
    """The ballots do not say enough for an analysis. The text says what is missing."""


class AwsCredentialsMissing(CloudSayingsError):
    """There are no valid credentials, so that no call to AWS can be signed. Their source has never given any."""


class AwsCredentialsEnded(AwsCredentialsMissing):
    """The credentials have ended, and their source gives no new ones."""


class BackupFailed(CloudSayingsError):
    """The database was not copied. The text says why, for an operator, and may name files."""


class InternalError(HttpError):
    """A defect of the service. Invalid input never raises it, because it has errors of its own."""

    status, code, message = 500, "internal_error", "Something went wrong on our side."


class DependencyError(CloudSayingsError):
    """A dependency failed. `reason` is the word for the failure in responses, logs and metrics."""

    reason: ClassVar[str]


class StoreError(DependencyError):
    """A store operation failed, and nothing of it was half done. `state` is what the readiness endpoint says then."""

    reason = "database_error"
    state = "unavailable"


class StorageFull(UnavailableError, StoreError):
    status, code, reason, state = 503, "storage_full", "database_error", "full"
    message = "The store is full and nothing was written; it is safe to send the request again."


class StoreReplaced(StoreError):
    """The file of the database has been removed or replaced, so that what is written now will be lost."""

    state = "replaced"


class StoreReadOnly(StoreError):
    """The file of the database or its disk has been made read-only."""

    state = "read_only"


class WrongSchema(StoreError):
    """The tables are not those of this version: some are missing, or a newer version has changed them."""

    state = "wrong_schema"


class NoTables(WrongSchema):
    """None of the tables exists: the region or the prefix of their names is wrong, or the stack is not deployed."""

    state = "no_tables"


class NoCredentials(StoreError):
    """The AWS SDK finds no credentials, or cannot get any from where they should come from."""

    state = "no_credentials"


class CredentialsExpired(StoreError):
    """The AWS credentials have expired, and there are no new ones yet."""

    state = "credentials_expired"


class CredentialsRejected(StoreError):
    """AWS does not know the credentials, or the signature that was made with them is wrong."""

    state = "credentials_rejected"


class StoreAccessDenied(StoreError):
    """AWS knows the credentials, but their policy does not permit the call."""

    state = "access_denied"


class WrongClock(StoreError):
    """AWS refuses signatures of the future or of the past, so the clock of this machine is minutes wrong."""

    state = "wrong_clock"


class LeaseLost(StoreError):
    """Another holder has taken the lease in the meantime, so the store refuses the former holder's write."""

    reason = "lease_lost"


class RetryableError(StoreError):
    """DynamoDB failed in a way that another attempt may cure. `attempts` counts all attempts, the first included."""

    attempts: ClassVar[int] = 3


class Refused(RetryableError):
    """DynamoDB was too busy and did nothing."""

    state = "busy"


class Conflict(Refused):
    """Another transaction was writing one of the items, which takes it only milliseconds.

    All verified votes from one address on a day write the same item. The attempts are enough for many voters behind one
    router, as far as the two seconds allow that a vote may take.
    """

    attempts = 10


class Unanswered(RetryableError):
    """The call failed on its way or inside DynamoDB, so DynamoDB may have carried it out nevertheless."""


class StoreTimeout(Unanswered):
    """The store did not answer in time. A store that hangs has this name, whoever was waiting for it."""

    reason, state = "database_timeout", "timeout"


class StoreUnreachable(Unanswered):
    """There is no connection to the store: its address is unknown, refuses connections or cannot be reached."""

    state = "unreachable"


class ConditionFailed(StoreError):
    """A condition did not hold, so nothing was written.

    `failed` has one value for each write of the transaction: whether its condition failed. `met` has the items that the
    failed conditions have met, in the same order, where DynamoDB returned them.
    """

    def __init__(self, failed: tuple[bool, ...], met: tuple[dict[str, Any] | None, ...] = ()) -> None:
        super().__init__("The data had changed.")
        self.failed = failed
        self.met = met or (None,) * len(failed)


def cause_of(error: BaseException) -> str:
    """What the library calls the cause of an error: AWS's code, SQLite's name, or else the class of its exception.

    Never its text, which may hold a key or the name of a table. "" when no library is involved.
    """
    return "" if error.__cause__ is None else name_of(error.__cause__)


def name_of(cause: BaseException) -> str:
    """What a library calls an error of its own."""
    codes = [code for code in _codes_of(cause) if _CODE.fullmatch(code) and code != "None"]
    return " ".join(dict.fromkeys(codes)) or type(cause).__name__


def _codes_of(cause: BaseException) -> Iterator[str]:
    """The code of an error, and those of the reasons why a transaction was cancelled."""
    response = getattr(cause, "response", None)
    if isinstance(response, Mapping):
        yield str(response.get("Error", {}).get("Code", ""))
        yield from (str(reason.get("Code", "")) for reason in response.get("CancellationReasons", ()))
    yield str(getattr(cause, "sqlite_errorname", ""))


class BudgetExhausted(DependencyError):
    """The hourly or the daily spend cap leaves no room for the call's worst case."""

    reason = "budget"


class ModelsBusy(DependencyError):
    """The process already makes as many live calls at once as it may. No model was called and no money was reserved."""

    reason = "busy"


class WorkerNotAsked(DependencyError):
    """The worker function could not be invoked to run a round."""

    reason = "worker_not_asked"


class KeyStoreError(DependencyError):
    """An API key could not be obtained."""

    reason = "key_unavailable"


class KeyNotFound(KeyStoreError):
    """The key does not exist, or it is empty."""

    reason = "key_not_found"


class KeyAccessDenied(KeyStoreError):
    """The process may not read the key."""

    reason = "key_access_denied"


class KeyStoreThrottled(KeyStoreError):
    """The key store asks for fewer calls."""

    reason = "key_store_throttled"


class KeyStoreUnavailable(KeyStoreError):
    """The key store did not respond, or not in time."""

    reason = "key_store_unavailable"


class ModelError(DependencyError):
    """A model call produced no saying.

    `retryable` is true when a second attempt may succeed. `may_be_billed` is true when the vendor may charge for the
    call, so that its reservation counts as spent. `retry_after` is the delay in seconds that the vendor asked for, and
    `status` the HTTP status, if there was one. `api_time_ms` is how long the call waited for the model, None when the
    model was not called.
    """

    reason = "live_error"
    retryable: bool = False  # of the class, unless the vendor says otherwise of one
    may_be_billed: ClassVar[bool] = False

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.api_time_ms: float | None = None


class ModelTimeout(ModelError):
    reason, may_be_billed = "live_timeout", True


class ModelNotAsked(ModelTimeout):
    """The time was up before the model could be called, so the model is not to blame."""

    reason, may_be_billed = "live_not_asked", False


class ModelCutShort(ModelTimeout):
    """The model was called so late that it had less time than what came before it, so the model is not to blame."""

    reason = "live_cut_short"


class ModelConnectionFailed(ModelError):
    reason, retryable, may_be_billed = "live_connection_failed", True, True


class ModelUnreachable(ModelConnectionFailed):
    """No connection could be made, so nothing was sent and nothing is billed."""

    may_be_billed = False


class ModelRateLimited(ModelError):
    reason, retryable = "live_rate_limited", True


class ModelSpendLimitReached(ModelError):
    """The account has reached its limit at the vendor or used up its credit. No retry helps until the operator acts."""

    reason = "live_spend_limit"


class ModelOverloaded(ModelError):
    """The vendor responded with a 5xx status, 529 included."""

    reason, retryable = "live_overloaded", True


class ModelEdgeTimeout(ModelOverloaded):
    """504, 520 and 524: the vendor's edge gave up waiting for a model that may have written all the same."""

    may_be_billed = True


class ModelKeyRejected(ModelError):
    """The vendor responded with 401, or with a 403 that is about the key."""

    reason = "live_key_rejected"


class ModelForbidden(ModelError):
    """Any other 403: the key is good, but must not be used for this model, or from here."""

    reason = "live_forbidden"


class ModelGone(ModelError):
    """The vendor does not have the model, or not any more."""

    reason = "live_model_gone"


class ModelRequestRejected(ModelError):
    """The vendor responded with any other 4xx status, or with a redirect, which is never followed."""

    reason = "live_request_rejected"


class ModelBreakerOpen(ModelError):
    reason = "live_breaker_open"


class ModelBadResponse(ModelError):
    """The vendor responded with 200, but not as it documents, or without a usable saying."""

    reason, may_be_billed = "live_bad_response", True


class ModelRefused(ModelError):
    reason, may_be_billed = "live_refused", True


class ModelTruncated(ModelError):
    reason, may_be_billed = "live_truncated", True
