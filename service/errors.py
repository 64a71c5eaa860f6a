"""Every error of the service, in one tree.

CloudSayingsError
├── ConfigError                       a bad setting; start-up ends with one line
├── InvocationFailed                  a Lambda invocation that has no result
├── HttpError                         an error that is an answer: a status and a documented code
│   ├── RequestError                  the client's
│   │   ├── InvalidRequest            400
│   │   ├── RouteNotFound             404
│   │   ├── SayingNotFound            404
│   │   ├── ComparisonNotFound        404
│   │   ├── MethodNotAllowed          405
│   │   ├── RequestTimeout            408
│   │   ├── SourceMismatch            409
│   │   ├── ComparisonNotShown        409
│   │   ├── ComparisonExpired         409
│   │   ├── SlotNotEligible           409
│   │   ├── BodyTooLarge              413
│   │   ├── UnsupportedMediaType      415
│   │   └── RateLimited               429 with Retry-After
│   ├── UnavailableError              ours, to try again later: 503 with Retry-After
│   │   ├── Overloaded
│   │   ├── NoSayingAvailable
│   │   ├── VoteNotStored
│   │   ├── StatisticsUnavailable
│   │   ├── NothingToCompare
│   │   ├── ComparisonUnavailable
│   │   └── StorageFull               also a StoreError
│   └── InternalError                 500, a defect of ours
└── DependencyError                   something outside failed; callers fall back
    ├── StoreError
    │   ├── LeaseLost
    │   ├── ConditionFailed
    │   └── RetryableError
    │       ├── Refused
    │       │   └── Conflict
    │       └── Unanswered
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
        │   └── ModelNotAsked
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

Messages are written by us: no SDK text, key, prompt, parameter or table name ever enters one.
"""

from collections.abc import Sequence
from typing import ClassVar


class CloudSayingsError(Exception):
    """The root: everything this project raises on purpose."""


class ConfigError(CloudSayingsError):
    """A setting that cannot be used; the message starts with the setting's name."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting


class HttpError(CloudSayingsError):
    """An error that is an answer: `status`, `code` and one clear sentence; `retry_after` in seconds."""

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
    """The client sent something that cannot be answered."""


class InvalidRequest(RequestError):
    status, code, message = 400, "invalid_request", "The request is not valid."


class RouteNotFound(RequestError):
    status, code, message = 404, "route_not_found", "There is nothing at this address."


class SayingNotFound(RequestError):
    status, code, message = 404, "saying_not_found", "No such saying is known."


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
    status, code, message = 413, "body_too_large", "The body is larger than 1 MiB."


class UnsupportedMediaType(RequestError):
    status, code, message = 415, "unsupported_media_type", "The body must be JSON in UTF-8, sent as application/json."


class RateLimited(RequestError):
    status, code, message = 429, "rate_limited", "Too many requests; please try again."


class UnavailableError(HttpError):
    """Ours, not the client's: the same request may succeed later."""

    def __init__(self, message: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(message, retry_after=retry_after)


class Overloaded(UnavailableError):
    status, code, message = 503, "overloaded", "There is more to do than can be done right now; please try again."


class NoSayingAvailable(UnavailableError):
    status, code, message = 503, "no_saying_available", "No saying is available right now; please try again."


class VoteNotStored(UnavailableError):
    status, code = 503, "store_unavailable"
    message = "The vote could not be stored; it is safe to send it again."


class StatisticsUnavailable(UnavailableError):
    status, code, message = 503, "statistics_unavailable", "The statistics cannot be read right now; please try again."


class NothingToCompare(UnavailableError):
    status, code, message = 503, "nothing_to_compare", "Fewer than two models take part at the moment."


class ComparisonUnavailable(UnavailableError):
    """No model may be asked now, and this voter has seen every stored comparison, or they cannot be read."""

    status, code = 503, "comparison_unavailable"
    message = "No comparison is available right now; please try again later."


class InvocationFailed(CloudSayingsError):
    """What Lambda is told when there is no result. Lambda counts it as an error and tries again where asked to."""


class InternalError(HttpError):
    """A defect of ours. Never the answer to bad input: those have errors of their own."""

    status, code, message = 500, "internal_error", "Something went wrong on our side."


class DependencyError(CloudSayingsError):
    """Something outside failed. `reason` is the word used for it in answers, logs and metrics."""

    reason: ClassVar[str]


class StoreError(DependencyError):
    """The store did not do what was asked; nothing was half done. `timed_out`: it did not answer in time."""

    reason = "database_error"
    timed_out = False


class StorageFull(UnavailableError, StoreError):
    status, code, reason = 503, "storage_full", "database_error"
    message = "The store is full: nothing was written. It is safe to send it again."


class LeaseLost(StoreError):
    """Another holder has taken the lease since: what this one still wanted to write is refused."""

    reason = "lease_lost"


class RetryableError(StoreError):
    """A failure of DynamoDB's that another attempt may cure, `attempts` in all."""

    attempts: ClassVar[int] = 3


class Refused(RetryableError):
    """DynamoDB was too busy and did nothing."""


class Conflict(Refused):
    """Another transaction was writing one of the items; it is over in milliseconds.

    All the votes of one address meet at its burst. There are enough attempts for a crowd behind one router, as far as
    the two seconds of a vote reach.
    """

    attempts = 10


class Unanswered(RetryableError):
    """The call failed on its way or inside DynamoDB, so that it may have been carried out."""


class ConditionFailed(StoreError):
    """A condition did not hold and nothing was written; `failed` says so for each write of a transaction."""

    def __init__(self, failed: tuple[bool, ...]) -> None:
        super().__init__("The data had changed.")
        self.failed = failed


class BudgetExhausted(DependencyError):
    """The hourly or the daily spend cap leaves no room for the call's worst case."""

    reason = "budget"


class ModelsBusy(DependencyError):
    """As many calls are waited for as the process makes at once: nothing was asked, nothing was reserved."""

    reason = "busy"


class WorkerNotAsked(DependencyError):
    """The worker function could not be asked for a round."""

    reason = "worker_not_asked"


class KeyStoreError(DependencyError):
    """An API key could not be had."""

    reason = "key_unavailable"


class KeyNotFound(KeyStoreError):
    """There is no such key, or it is empty."""

    reason = "key_not_found"


class KeyAccessDenied(KeyStoreError):
    """The process may not read the key."""

    reason = "key_access_denied"


class KeyStoreThrottled(KeyStoreError):
    """The key store asks for fewer calls."""

    reason = "key_store_throttled"


class KeyStoreUnavailable(KeyStoreError):
    """The key store did not answer, or not in time."""

    reason = "key_store_unavailable"


class ModelError(DependencyError):
    """A model call that gave no saying.

    `retryable`: a second attempt may help. `may_be_billed`: the vendor may charge for it, so its reservation counts as
    spent. `retry_after` is the vendor's wish in seconds, `status` the HTTP status where there was one, `api_time_ms`
    how long the model was waited for, None when it was not called.
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
    """The time was up before the model could be called: nothing that it could help."""

    may_be_billed = False


class ModelConnectionFailed(ModelError):
    reason, retryable, may_be_billed = "live_connection_failed", True, True


class ModelUnreachable(ModelConnectionFailed):
    """Nothing was sent."""

    may_be_billed = False


class ModelRateLimited(ModelError):
    reason, retryable = "live_rate_limited", True


class ModelSpendLimitReached(ModelError):
    """The account's limit at the vendor, or used-up credit: no retry helps until somebody pays or raises it."""

    reason = "live_spend_limit"


class ModelOverloaded(ModelError):
    """5xx and 529."""

    reason, retryable = "live_overloaded", True


class ModelEdgeTimeout(ModelOverloaded):
    """504, 520 and 524: the vendor's edge gave up waiting for a model that may have written all the same."""

    may_be_billed = True


class ModelKeyRejected(ModelError):
    """401, and a 403 that is about the key."""

    reason = "live_key_rejected"


class ModelForbidden(ModelError):
    """Any other 403: the key is good, but must not be used for this model, or from here."""

    reason = "live_forbidden"


class ModelGone(ModelError):
    """The vendor does not have the model, or not any more."""

    reason = "live_model_gone"


class ModelRequestRejected(ModelError):
    """Any other 4xx, and redirects, which are never followed."""

    reason = "live_request_rejected"


class ModelBreakerOpen(ModelError):
    reason = "live_breaker_open"


class ModelBadResponse(ModelError):
    """A 200 that is not what the vendor documents, or that holds no usable saying."""

    reason, may_be_billed = "live_bad_response", True


class ModelRefused(ModelError):
    reason, may_be_billed = "live_refused", True


class ModelTruncated(ModelError):
    reason, may_be_billed = "live_truncated", True
