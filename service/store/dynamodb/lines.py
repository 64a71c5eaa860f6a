"""The lines of counts: their sort keys, and the names of what they count.

| part                                      | attributes                                                         |
|-------------------------------------------|--------------------------------------------------------------------|
| <contributor>                             | serves; upvotes and downvotes that earlier versions have counted   |
| hour#<hour>#<contributor>                 | serves; deleted after some days                                    |
| blind#<service>#<contributor>             | n, u: the counted blind votes                                      |
| votes#<day>#<contributor>#<prompt>#<snap> | b0n, b0u to bfn, bfu: blind votes, k0n to kfu: named ones, by the  |
|                                           | group of the saying; on, ou: open ones; an, au: set aside; vn, vu: |
|                                           | unverified; voters, sayings: first ones; h00 to h23: by hour       |
| ballots#<day>#<contributors, failed>      | 00 to 0f: ballots for the first contributor by the group of the    |
|                                           | comparison; a0: those that are set aside. The results TIE and NONE |
|                                           | follow the contributors                                            |
| attempts#<day>#<contributor>#<kind>#      | calls, sayings, tokens, …; bucket#<number> for a bucket of         |
|   <shape>#<prompt>#<snapshot>             | latencies, failed#<error> and rejected#<reason>                    |

`n` is a number of votes and `u` how many of them are upvotes. Every line is kept in several shards, and its value is
the sum over them. A number of one shard may be negative. Votes and ballots are counted in the shard of their voter's
group, which is how the group is known. The lines of a day also have `writes`, the number of times that they were
written, by which the pass that folds them (tallies.py) notices a write.

No item is hot. Of 1,700 votes a second on four models, a shard counts 1,700 / 16 = 106, and a line in it a quarter of
them. Such a line is four items, which differ in the end of their keys, so that an item counts seven votes a second.
A write is two units: an item takes 13 of the 1,000 units that DynamoDB allows a partition, and a shard, which is a
partition, 213. The first eight shards also count the services of blind votes, at most 1,700 / 8 = 213 votes with 425
units for one service each. A transaction that holds its items for 15 ms meets another at its line with a chance of
7 × 0.015, that is one vote in ten, and is sent again.

Earlier versions have left other lines: calls#<contributor>#<shape>, with `billed` in place of `calls`, which still
counts, and service#…, outcome#… and aside#, which do not.
"""

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from service.domain import NONE, TIE, Attribution, CallKind, CallShape, FeedbackType, Outcome, Standing, hour_of
from service.limits import DEFAULT_RETENTION
from service.store.base import Strand
from service.store.dynamodb.items import text
from service.store.dynamodb.writes import add_to
from service.store.groups import item_group, voter_group

if TYPE_CHECKING:
    from service.store.base import StoredVote
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

# Lines that are rarely written are spread over the first few of the shards, and those of services, which are many, over
# some more.
FEW_SHARDS = 4
SERVICE_SHARDS = 8
# The items of a line in a shard, and what stands between its name and the number of the item.
ITEMS_OF_A_LINE = 4
_ITEM = "~"

HOUR, SERVICE, VOTES, BALLOTS, CALLS, OLD_CALLS = "hour", "blind", "votes", "ballots", "attempts", "calls"
# The lines of a day, which are folded when it is over.
DAILY = (VOTES, BALLOTS, CALLS)
WRITES = "writes"

BLIND, NAMED, OPENED, ASIDE, UNVERIFIED = "b", "k", "o", "a", "v"
VOTERS, SAYINGS = "voters", "sayings"
OF_HOUR = "h"
BUCKET, FAILED, REJECTED = "bucket#", "failed#", "rejected#"


def any_shard() -> int:
    """One of the few shards.

    A transaction must write all of its counts to one shard, so that it can conflict with other transactions only there.
    """
    return random.randrange(FEW_SHARDS)


def shard_name(shard: int) -> str:
    return f"tally#{shard}"


def line_key(shard: int, part: str) -> "Item":
    return {"name": text(shard_name(shard)), "part": text(part)}


def shard_of(item: "Item") -> int:
    return int(item["name"]["S"].rpartition("#")[2])


def add_to_line(table: str, shard: int, part: str, counts: Mapping[str, float]) -> "Write":
    return add_to(table, line_key(shard, part), counts)


def add_to_day(table: str, shard: int, part: str, counts: Mapping[str, float]) -> "Write":
    """Add to a line of a day."""
    return add_to_line(table, shard, part, {**counts, WRITES: 1})


def add_for_voter(table: str, voter: str, part: str, counts: Mapping[str, float]) -> "Write":
    """Add what a voter has cast to a line of a day: in the shard of the voter's group, to one of the line's items."""
    item = hashlib.sha256(voter.encode()).digest()[1] % ITEMS_OF_A_LINE
    return add_to_day(table, voter_group(voter), f"{part}{_ITEM}{item}" if item else part, counts)


def line_of(item: "Item") -> str:
    """The name of the line that an item counts for."""
    part = item["part"]["S"]
    return part[:-2] if part[-2:-1] == _ITEM else part


def add_to_hour(table: str, shard: int, hour: str, contributor: str, counts: Mapping[str, float]) -> "Write":
    kept = timedelta(days=DEFAULT_RETENTION.hour_days)
    expiry = datetime.fromisoformat(f"{hour}:00").replace(tzinfo=UTC) + kept
    key = line_key(shard, f"{HOUR}#{hour}#{contributor}")
    return add_to(table, key, counts, expires=int(expiry.timestamp()))


def service_line(service: str, contributor: str) -> str:
    return f"{SERVICE}#{service}#{contributor}"


def service_shard(voter: str) -> int:
    return voter_group(voter) % SERVICE_SHARDS


def votes_line(strand: Strand) -> str:
    return "#".join((VOTES, strand.day, strand.contributor, strand.prompt_version, strand.snapshot))


def to_votes_strand(part: str) -> Strand:
    _, day, contributor, prompt_version, snapshot = part.split("#", 4)
    return Strand(contributor, day, prompt_version, snapshot)


def calls_line(strand: Strand, kind: CallKind, shape: CallShape) -> str:
    return "#".join((CALLS, strand.day, strand.contributor, kind, shape, strand.prompt_version, strand.snapshot))


def to_calls_key(part: str) -> tuple[Strand, CallKind, CallShape]:
    _, day, contributor, kind, shape, prompt_version, snapshot = part.split("#", 6)
    return Strand(contributor, day, prompt_version, snapshot), CallKind(kind), CallShape(shape)


def to_old_calls_key(part: str) -> tuple[Strand, CallKind, CallShape]:
    """What a line of calls of an earlier version is about. It does not tell their kind, but few of them were live."""
    _, contributor, name = part.split("#", 2)
    shape = CallShape(name)
    return Strand(contributor, ""), CallKind.ROUND if shape is CallShape.ROUND else CallKind.COMPARE, shape


def ballots_line(day: str, outcome: Outcome) -> str:
    return f"{BALLOTS}#{day}#{msgspec.json.encode((outcome.contributors, outcome.failed)).decode()}"


def to_outcomes(part: str) -> tuple[str, list[Outcome]]:
    """The day of a line of ballots, and its possible outcomes in the order of their numbers."""
    _, day, names = part.split("#", 2)
    contributors, failed = msgspec.json.decode(names, type=tuple[tuple[str, ...], tuple[str, ...]])
    return day, [Outcome(contributors, result, failed) for result in (*contributors, TIE, NONE)]


def ballot_counts(outcome: Outcome, standing: Standing, comparison_id: str, amount: int) -> dict[str, int]:
    """What a ballot adds to its line."""
    position = (*outcome.contributors, TIE, NONE).index(outcome.result)
    is_counted = standing is Standing.COUNTED
    return {f"{position}{item_group(comparison_id):x}" if is_counted else f"{ASIDE}{position}": amount}


def vote_counts(vote: "StoredVote", standing: Standing, amount: int) -> dict[str, int]:
    """What a vote of a standing adds to its line."""
    name = _kind(vote, standing)
    votes = {f"{name}n": amount}
    return votes | {f"{name}u": amount} if vote.first is FeedbackType.POSITIVE else votes


def hour_count(moment: float, amount: int) -> dict[str, int]:
    """What a vote that was first cast at a moment adds to its line, whatever its standing."""
    return {f"{OF_HOUR}{hour_of(moment)[-2:]}": amount}


def _kind(vote: "StoredVote", standing: Standing) -> str:
    if standing is not Standing.COUNTED:
        return ASIDE if standing is Standing.SET_ASIDE else UNVERIFIED
    if vote.attribution is Attribution.OPEN:
        return OPENED
    group = item_group(vote.saying_id)
    return f"{BLIND if vote.attribution is Attribution.BLIND else NAMED}{group:x}"
