"""What the vendors' protocols have in common: the request that was read, the answer and the errors to send."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeVar

import msgspec

from service.simulator.faults import FaultKind
from service.simulator.json_schema import Schema
from service.simulator.profiles import Profile, Profiles

T = TypeVar("T")

_SERVICE_LINE = re.compile(r"^- (\S.{0,78}\S)\s*$", re.MULTILINE)
_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]+)`")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that passed the vendor's checks."""

    model: Profile
    prompt: str  # the last user message
    characters: int  # of all messages and the schema
    max_tokens: int
    schema: Schema | None
    effort: str | None = None  # with which the model thinks first

    @property
    def services(self) -> list[str]:
        """The services that the prompt lists, one a line."""
        return _SERVICE_LINE.findall(self.prompt)

    @property
    def input_tokens(self) -> int:
        return tokens(self.characters)


class Ending(Enum):
    """How an answer ends; each vendor has its own words for it."""

    DONE = auto()
    LENGTH = auto()
    REFUSAL = auto()
    CONTENT_FILTER = auto()
    UNKNOWN_BLOCK = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote, which the protocol puts into the vendor's envelope."""

    serial: str  # the random part of the id
    text: str
    ending: Ending
    input_tokens: int
    output_tokens: int
    thinking_tokens: int  # among the output tokens


@dataclass(frozen=True, slots=True)
class Problem:
    """An error to send. Without a `type` it gets the one that the vendor usually sends with the status."""

    status: int
    message: str
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class RefusedError(Exception):
    """The request is answered with an error."""

    def __init__(self, problem: Problem, retry_after: str | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.retry_after = retry_after


class Dialect(Protocol):
    """A vendor's protocol. `key`, `read` and `describe` raise RefusedError.

    Requests go to `path` below the vendor's base URL, and those about a model to its name below `models_path`.
    `problems` are the faults that are answered with an error.
    """

    vendor: str
    path: str
    models_path: str
    serial_header: str
    problems: Mapping[FaultKind, Problem]

    def __init__(self, vendor: str, profiles: Profiles) -> None: ...

    def key(self, headers: Mapping[str, str]) -> str: ...

    def wrong_key(self, key: str) -> Problem: ...

    def read(self, headers: Mapping[str, str], body: bytes) -> Ask: ...

    def answer(self, ask: Ask, answer: Answer) -> object: ...

    def describe(self, name: str) -> object:
        """What the vendor says of a model and its life."""

    def problem(self, problem: Problem, serial: str) -> object: ...


def tokens(characters: int) -> int:
    """About as many tokens as a vendor would count in a text of this length."""
    return max(1, -(-characters // 4))


def is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"


def json_object(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(Problem(400, f"The request body is not a valid JSON object: {error}")) from error


def convert(raw: Mapping[str, object], to: type[T], ignored: str) -> T:
    """Convert `raw` to the type `to`, leaving out the fields named in `ignored`. Any other unknown field is refused."""
    left_out = ignored.split()
    try:
        return msgspec.convert({name: value for name, value in raw.items() if name not in left_out}, to)
    except msgspec.ValidationError as error:
        place, complaint = _explain(str(error))
        raise RefusedError(Problem(400, complaint, param=place)) from error


def _explain(message: str) -> tuple[str, str]:
    """Split msgspec's message into the place (`messages[0].role`) and the complaint."""
    found = _PLACE.search(message)
    place, complaint = (found["place"], message[: found.start()]) if found else ("", message)
    for pattern, wording in ((_MISSING, "Field required"), (_UNKNOWN, "Extra inputs are not permitted")):
        if field := pattern.fullmatch(complaint):
            return f"{place}.{field['name']}".lstrip("."), wording
    return place, complaint


def check_max_tokens(wanted: int | None, model: Profile, param: str) -> int:
    """The limit of the answer in tokens; without a wish, the most that the model can write."""
    if wanted is None:
        return model.max_output
    if wanted > model.max_output:
        limit = f"{wanted} > {model.max_output}, which is the maximum number of output tokens for {model.snapshot}"
        raise RefusedError(Problem(400, limit, param=param))
    return wanted
