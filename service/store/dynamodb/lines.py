"""The lines of counts: their sort keys, their attributes and their sums.

| part                            | attributes                                                            |
|---------------------------------|-----------------------------------------------------------------------|
| <contributor>                   | serves, upvotes, downvotes                                            |
| service#<service>#<contributor> | upvotes, downvotes                                                    |
| hour#<hour>#<contributor>       | serves, upvotes, downvotes; deleted after some days                   |
| calls#<contributor>#<shape>     | billed, sayings, tokens, …; bucket#<number> for a bucket of latencies |
|                                 | and rejected#<reason> for sayings that may not be shown               |
| outcome#<contributors, result>  | votes                                                                 |
| aside#                          | the part set aside because of bursts: up#…, down#… and outcome#…      |

Every line is kept in each shard, and its value is the sum over the shards. A number of a single shard may be negative.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from service.domain import CallShape, Outcome
from service.limits import DEFAULT_RETENTION
from service.store.base import Aggregates, CallTally, OutcomeTally, Tally
from service.store.dynamodb.items import text
from service.store.dynamodb.tables import TALLY_SHARDS
from service.store.dynamodb.writes import add_to

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

ASIDE = "aside#"
BUCKET = "bucket#"
REJECTED = "rejected#"
_OUTCOME = "outcome#"
_HOURS_KEPT = timedelta(days=DEFAULT_RETENTION.hour_days)

Sums = Mapping[str, Decimal]


def any_shard() -> int:
    """A random shard.

    A transaction must write all of its counts to one shard, so that it can conflict with other transactions only there.
    """
    return random.randrange(TALLY_SHARDS)


def tally_name(shard: int) -> str:
    return f"tally#{shard}"


def line_key(shard: int, part: str) -> "Item":
    return {"name": text(tally_name(shard)), "part": text(part)}


def add_to_line(table: str, shard: int, part: str, counts: Mapping[str, float]) -> "Write":
    return add_to(table, line_key(shard, part), counts)


def add_to_hour(table: str, shard: int, hour: str, contributor: str, counts: Mapping[str, float]) -> "Write":
    expiry = datetime.fromisoformat(f"{hour}:00").replace(tzinfo=UTC) + _HOURS_KEPT
    key = line_key(shard, f"hour#{hour}#{contributor}")
    return add_to(table, key, counts, expires=int(expiry.timestamp()))


def service_line(service: str, contributor: str) -> str:
    return f"service#{service}#{contributor}"


def calls_line(contributor: str, shape: CallShape) -> str:
    return f"calls#{contributor}#{shape}"


def outcome_line(outcome: Outcome) -> str:
    return _OUTCOME + msgspec.json.encode((outcome.contributors, outcome.result)).decode()


def upvotes_aside(contributor: str) -> str:
    return f"up#{contributor}"


def downvotes_aside(contributor: str) -> str:
    return f"down#{contributor}"


def aggregates(items: "Iterable[Item]", *, since_hour: str) -> Aggregates:
    """The sums of the lines over all shards."""
    sums = _sums(items)
    aside = sums.pop(ASIDE, {})
    contributors, services, hours, calls, outcomes = {}, {}, {}, {}, {}
    for part, line in sums.items():
        match part.split("#", 2):
            case "service", service, contributor:
                services[service, contributor] = _tally(line)
            case "hour", hour, contributor if hour >= since_hour:
                hours[hour, contributor] = _tally(line)
            case "hour", _, _:
                pass
            case "calls", contributor, shape:
                calls[contributor, CallShape(shape)] = _call_tally(line)
            case "outcome", *_:
                outcomes[_outcome(part)] = OutcomeTally(_int(line, "votes"), _int(aside, part))
            case _:
                contributors[part] = _tally(line, aside, part)
    return Aggregates(contributors, services, hours, calls, outcomes)


def _sums(items: "Iterable[Item]") -> dict[str, Sums]:
    """Every number of each line, summed over the shards."""
    sums: dict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for item in items:
        line = sums[item["part"]["S"]]
        for name, value in item.items():
            if "N" in value:
                line[name] += Decimal(value["N"])
    return dict(sums)


def _tally(line: Sums, aside: Sums | None = None, contributor: str = "") -> Tally:
    aside = aside or {}
    return Tally(
        serves=_int(line, "serves"),
        upvotes=_int(line, "upvotes"),
        downvotes=_int(line, "downvotes"),
        aside_upvotes=_int(aside, upvotes_aside(contributor)),
        aside_downvotes=_int(aside, downvotes_aside(contributor)),
    )


def _call_tally(line: Sums) -> CallTally:
    return CallTally(
        latencies={int(name): count for name, count in _with_prefix(line, BUCKET).items()},
        latency_ms=float(line.get("latency_ms", 0)),
        billed=_int(line, "billed"),
        unpriced=_int(line, "unpriced"),
        sayings=_int(line, "sayings"),
        input_tokens=_int(line, "input_tokens"),
        output_tokens=_int(line, "output_tokens"),
        cost_nanos=_int(line, "cost_nanos"),
        rejected=_with_prefix(line, REJECTED),
    )


def _with_prefix(line: Sums, prefix: str) -> dict[str, int]:
    """The counts whose names have a prefix, by their names without it."""
    return {name.removeprefix(prefix): int(count) for name, count in line.items() if name.startswith(prefix)}


def _outcome(part: str) -> Outcome:
    contributors, result = msgspec.json.decode(part[len(_OUTCOME) :], type=tuple[tuple[str, ...], str])
    return Outcome(contributors, result)


def _int(line: Sums, name: str) -> int:
    return int(line.get(name, 0))
