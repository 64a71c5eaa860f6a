"""What a vendor's answer other than a good one means: by its body first, then by its status."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from service.errors import (
    ModelBadResponse,
    ModelEdgeTimeout,
    ModelError,
    ModelForbidden,
    ModelGone,
    ModelKeyRejected,
    ModelOverloaded,
    ModelRateLimited,
    ModelRequestRejected,
    ModelSpendLimitReached,
)

T = TypeVar("T")

# A vendor may ask for any patience; beyond an hour we would rather try again and be told once more.
MAX_RETRY_AFTER_SECONDS = 3600.0
# The date on which a limit of one's own ends is certain, but somebody may raise the limit before.
MAX_SPEND_LIMIT_SECONDS = 86_400.0

# Types and codes that only somebody with a credit card can clear; most come with the rate limit's status, 429.
_SPEND_LIMIT_WORDS = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "billing_error", "insufficient_quota",
     "credit_balance_exhausted", "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
     "organization_usage_limit_exceeded", "billing_hard_limit_reached", "billing_not_active"}
)  # fmt: skip
# Anthropic gives these no code of their own: they are a 400 as any other.
_SPEND_LIMIT_MESSAGE = re.compile(
    r"credit balance is too low|reached your specified (?:\w+ ){0,4}usage limits", re.IGNORECASE
)
_REGAIN = re.compile(r"regain access on (\d{4}-\d{2}-\d{2})(?: at (\d{2}:\d{2}))?", re.IGNORECASE)
_GONE_WORDS = frozenset({"not_found_error", "model_not_found"})
_KEY_WORDS = frozenset({"authentication_error", "invalid_api_key"})
# The vendor's edge has given up on a model that may have written all the same.
_EDGE_TIMEOUTS = frozenset({504, 520, 524})


def status_error(
    status: int, *, words: Iterable[object] = (), message: object = "", headers: Mapping[str, str] | None = None
) -> ModelError:
    """The error for a vendor's HTTP status other than 2xx.

    `words` are the body's types and codes, and `message` its sentence, which does not enter the error.
    """
    headers = headers or {}
    said = frozenset(word for word in words if isinstance(word, str))
    error = _by_body(status, said, message if isinstance(message, str) else "") or _by_status(status)
    error.status = status
    if isinstance(error, ModelRateLimited | ModelOverloaded):
        error.retry_after = retry_after_seconds(headers)
    if headers.get("x-should-retry") == "false":
        error.retryable = False
    return error


def _by_body(status: int, words: frozenset[str], message: str) -> ModelError | None:
    if not 400 <= status < 500:
        return None
    if status == 402 or words & _SPEND_LIMIT_WORDS or _SPEND_LIMIT_MESSAGE.search(message):
        return ModelSpendLimitReached(
            "The vendor's spend limit is reached.", retry_after=_seconds_until_regained(message)
        )
    if (status == 404 and words & _GONE_WORDS) or (status == 403 and "model_not_found" in words):
        return ModelGone("The vendor does not have the model any more, or not for this key.")
    if status == 403 and not words & _KEY_WORDS:
        return ModelForbidden("The key is good, but must not be used for this.")
    return None


def _by_status(status: int) -> ModelError:
    if status == 429:
        return ModelRateLimited("The vendor asks for fewer calls.")
    if status in (401, 403):
        return ModelKeyRejected("The vendor does not accept the key.")
    if status in _EDGE_TIMEOUTS:
        return ModelEdgeTimeout("The vendor's edge did not wait for the model.")
    if status >= 500:
        return ModelOverloaded("The vendor failed.")
    return ModelRequestRejected("The vendor did not accept the request.")


class _ErrorBody(msgspec.Struct):
    code: object = None
    type: object = None
    message: object = None


class _Answer(msgspec.Struct):
    error: _ErrorBody | str | bool | None = None


def decoded(body: bytes, kind: type[T]) -> T:
    """The body of a 200. Raises ValueError for junk, and ModelBadResponse from the error that some report in a 200."""
    error = msgspec.json.decode(body, type=_Answer).error
    if not error:
        return msgspec.json.decode(body, type=kind)
    said = error if isinstance(error, _ErrorBody) else _ErrorBody()
    status = said.code if isinstance(said.code, int) and 400 <= said.code < 600 else 400
    reported = status_error(status, words=(said.type, said.code), message=said.message)
    raise ModelBadResponse("The vendor reports an error in place of an answer.") from reported


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the vendor's headers, at most an hour; None when there are none or they make no sense."""
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    seconds = _seconds(headers.get("retry-after", "")) if math.isnan(milliseconds) else milliseconds / 1000
    if not math.isfinite(seconds):
        return MAX_RETRY_AFTER_SECONDS if seconds == math.inf else None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _seconds(header: str) -> float:
    try:
        return float(header)
    except ValueError:
        return _seconds_until(header)


def _seconds_until(http_date: str) -> float:
    try:
        moment = parsedate_to_datetime(http_date)
        # All HTTP dates are GMT, also those that do not say so.
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # also what a year of five digits raises
        return math.nan
    return (moment - datetime.now(UTC)).total_seconds()


def _seconds_until_regained(message: str) -> float | None:
    """Until the day (in UTC) on which the vendor lets us in again; None when it names none."""
    found = _REGAIN.search(message)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}+00:00")
    except ValueError:
        return None
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_SPEND_LIMIT_SECONDS)
