"""The faults that can be injected, and the queue in which they wait for a call."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from random import Random

import msgspec

from service.simulator.profiles import Profiles

EVERY_MODEL = "*"


class FaultKind(StrEnum):
    """What can go wrong with a call."""

    # The connection.
    HANG = "hang"  # no answer, ever
    SLOW_DRIP = "slow_drip"  # a good answer, one byte at a time
    RESET = "reset"  # the connection is reset before the answer
    TRUNCATED_BODY = "truncated_body"  # the connection closes before Content-Length is reached
    REDIRECT = "redirect"  # 307 to another path

    # An HTTP status.
    BAD_REQUEST = "bad_request"  # 400
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    NOT_FOUND = "not_found"  # 404
    RATE_LIMITED = "rate_limited"  # 429, with Retry-After when the fault has one
    SPEND_LIMIT = "spend_limit"  # 429 that waiting does not cure
    SERVER_ERROR = "server_error"  # 500
    UNAVAILABLE = "unavailable"  # 503
    OVERLOADED = "overloaded"  # Anthropic 529, OpenAI 503

    # HTTP 200 with a body that is not an answer.
    BAD_JSON = "bad_json"
    HTML = "html"
    EMPTY_BODY = "empty_body"
    NULL_BODY = "null_body"
    LIST_BODY = "list_body"
    OBJECT_BODY = "object_body"
    BAD_UTF8 = "bad_utf8"
    PACKED_BODY = "packed_body"  # a few hundred kilobytes of gzip that unpack to 300 MB
    ENDLESS_BODY = "endless_body"

    # A well-formed answer that ended in another way.
    REFUSAL = "refusal"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"  # Anthropic has no such ending, so there it is a refusal
    UNKNOWN_BLOCK = "unknown_block"

    # A good envelope in which every saying is hostile.
    TEXT_EMPTY = "text_empty"
    TEXT_BLANK = "text_blank"
    TEXT_HUGE = "text_huge"  # 50 KB
    TEXT_SCRIPT = "text_script"
    TEXT_JAVASCRIPT_LINK = "text_javascript_link"
    TEXT_ANSI = "text_ansi"
    TEXT_CRLF = "text_crlf"  # a forged log line
    TEXT_BIDI = "text_bidi"
    TEXT_ZERO_WIDTH = "text_zero_width"
    TEXT_NUL = "text_nul"
    TEXT_REFUSAL = "text_refusal"
    TEXT_SELF_IDENTIFICATION = "text_self_identification"
    TEXT_DUPLICATES = "text_duplicates"  # the same saying for every service and every call
    TEXT_ONLY_ONE = "text_only_one"  # one saying, however many services were asked for
    TEXT_WRONG_SERVICE = "text_wrong_service"  # label and text of a service that was not asked for
    TEXT_MISLABELLED = "text_mislabelled"  # the right label, but the text is about another service

    # A good envelope in which the whole text is something else.
    TEXT_PROMPT_ECHO = "text_prompt_echo"
    TEXT_NOT_JSON = "text_not_json"
    TEXT_CODE_FENCE = "text_code_fence"  # the right JSON in a Markdown fence, which a tolerant parser reads

    @property
    def is_text(self) -> bool:
        return self.value.startswith("text_")


class Fault(msgspec.Struct, frozen=True):
    """A fault for the next `count` calls, or for all calls until it is cleared if `count` is None.

    With a `rate`, each call fails with that probability until the fault is cleared. `retry_after` is sent as the
    header of that name.
    """

    kind: FaultKind
    count: int | None = 1
    rate: float | None = None
    retry_after: str | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError("count must be at least 1, or null for 'until cleared'")
        if self.rate is not None and not 0 <= self.rate <= 1:
            raise ValueError("rate must be between 0 and 1")
        if self.retry_after is not None and not (self.retry_after.isascii() and self.retry_after.isprintable()):
            raise ValueError("retry_after must be printable ASCII")


class FaultQueue:
    """The faults in the order in which they were injected; those for one model go before those for every model."""

    def __init__(self, profiles: Profiles, rng: Random) -> None:
        self._profiles = profiles
        self._rng = rng
        self._waiting: defaultdict[str, list[Fault]] = defaultdict(list)

    def add(self, model: str, fault: Fault) -> None:
        """Raises ValueError for an unknown model."""
        self._waiting[self._queue_name(model)].append(fault)

    def replace(self, faults: Mapping[str, Sequence[Fault]]) -> None:
        """Raises ValueError for an unknown model, in which case nothing changes."""
        waiting = {self._queue_name(model): list(queue) for model, queue in faults.items()}
        self._waiting = defaultdict(list, waiting)

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> dict[str, list[Fault]]:
        return {model: list(queue) for model, queue in self._waiting.items() if queue}

    def take(self, model: str) -> Fault | None:
        """The fault for this call, if there is one."""
        return self._take_from(model) or self._take_from(EVERY_MODEL)

    def _take_from(self, model: str) -> Fault | None:
        queue = self._waiting[model]
        for position, fault in enumerate(queue):
            if fault.rate is None:
                queue[position : position + 1] = _remaining(fault)
                return fault
            if self._rng.random() < fault.rate:
                return fault
        return None

    def _queue_name(self, model: str) -> str:
        if model == EVERY_MODEL:
            return model
        known = self._profiles.find(model)
        if known is None:
            raise ValueError(f"unknown model {model!r}")
        return known.id


def _remaining(fault: Fault) -> list[Fault]:
    if fault.count is None:
        return [fault]
    return [msgspec.structs.replace(fault, count=fault.count - 1)] if fault.count > 1 else []
