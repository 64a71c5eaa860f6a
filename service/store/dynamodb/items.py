"""Encodes sayings, votes, comparisons, ballots and calls as DynamoDB items, and decodes them."""

import hashlib
from typing import TYPE_CHECKING

import msgspec

from service.domain import (
    Attribution,
    Ballot,
    Call,
    CallKind,
    Comparison,
    Entry,
    FeedbackType,
    Generation,
    Saying,
    Standing,
    Usage,
)
from service.store.base import StoredVote
from service.store.dynamodb.tables import DRAW_SHELVES

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef

    Value = AttributeValueTypeDef
    Item = dict[str, Value]

# The number of points on the ring that sayings are drawn from. The quarters of the ring are the shelves, which spread
# the reads over several partitions.
RING = 2**48


def text(value: str) -> "Value":
    return {"S": value}


def number(value: float) -> "Value":
    # repr gives every digit of a float, and DynamoDB keeps 38.
    return {"N": repr(value)}


def count(item: "Item", attribute: str) -> int:
    return int(item[attribute]["N"]) if attribute in item else 0


def shelf_of(point: int) -> int:
    return point * DRAW_SHELVES // RING


def _point(saying_id: str) -> int:
    """The saying's point on the ring. It comes from a hash, so that sayings are spread evenly whatever their ids."""
    return int.from_bytes(hashlib.sha256(saying_id.encode()).digest()[:6], "big")


# What an item has in place of the present opinion when the vote was withdrawn.
_NO_OPINION = "WITHDRAWN"


def to_vote_item(vote: StoredVote) -> "Item":
    item: Item = {
        **vote_key(vote.saying_id, vote.voter),
        "contributor": text(vote.contributor),
        "feedback_type": text(vote.first),
        "first_cast_at": number(vote.first_cast_at),
        "standing": text(vote.standing),
        **opinion_attributes(vote),
    }
    if vote.attribution is not None:
        item["attribution"] = text(vote.attribution)
    if vote.network:
        item["network"] = text(vote.network)
    return item


def opinion_attributes(vote: StoredVote) -> "Item":
    """The attributes of a vote that change when it is cast again or withdrawn."""
    attributes: Item = {"opinion": text(vote.opinion or _NO_OPINION), "cast_at": number(vote.cast_at)}
    if vote.claimed_execution_ms is not None:
        # A client may claim 1e-300, but DynamoDB refuses numbers that small.
        attributes["claimed_execution_ms"] = number(round(vote.claimed_execution_ms, 6))
    if vote.claimed_cached is not None:
        attributes["claimed_cached"] = {"BOOL": vote.claimed_cached}
    return attributes


# All that `opinion_attributes` may return.
OPINION_ATTRIBUTES = ("opinion", "cast_at", "claimed_execution_ms", "claimed_cached")


def to_stored_vote(item: "Item", contributor: str) -> StoredVote | None:
    """The vote of an item; None for a damaged item.

    Items of earlier versions have neither standing nor `opinion`, and the oldest not even a time of the first casting.
    """
    try:
        first, cast_at = FeedbackType(item["feedback_type"]["S"]), float(item["cast_at"]["N"])
        opinion = item["opinion"]["S"] if "opinion" in item else first
        return StoredVote(
            item["saying_id"]["S"],
            item["voter"]["S"],
            contributor,
            first,
            float(item["first_cast_at"]["N"]) if "first_cast_at" in item else cast_at,
            None if opinion == _NO_OPINION else FeedbackType(opinion),
            cast_at,
            Attribution(item["attribution"]["S"]) if "attribution" in item else None,
            Standing(item["standing"]["S"]) if "standing" in item else Standing.UNVERIFIED,
            _network(item),
            float(item["claimed_execution_ms"]["N"]) if "claimed_execution_ms" in item else None,
            item["claimed_cached"]["BOOL"] if "claimed_cached" in item else None,
        )
    except (KeyError, ValueError):
        return None


def has_standing(item: "Item") -> bool:
    """Whether a vote or ballot has got a standing. Those of earlier versions have none and are counted elsewhere."""
    return "standing" in item


def _network(item: "Item") -> str:
    return item["network"]["S"] if "network" in item else ""


def network_of(item: "Item") -> str:
    """What a vote or ballot holds of an address: the name of a NetworkDay, or what earlier versions have called burst.

    Both begin with the day.
    """
    return _network(item) or (item["burst"]["S"] if "burst" in item else "")


def saying_key(saying_id: str) -> "Item":
    return {"saying_id": text(saying_id)}


def vote_key(saying_id: str, voter: str) -> "Item":
    return {"saying_id": text(saying_id), "voter": text(voter)}


def draw_attributes(saying_id: str) -> "Item":
    """The saying's place on the ring. Without it a saying is never drawn."""
    point = _point(saying_id)
    return {"draw_shelf": number(shelf_of(point)), "draw": number(point)}


def to_item(saying: Saying) -> "Item":
    item: Item = {
        "saying_id": text(saying.saying_id),
        "saying": text(saying.text),
        "services": {"L": [text(service) for service in saying.services]},
        "source": text(saying.source),
        "contributor": text(saying.contributor),
        **draw_attributes(saying.saying_id),
    }
    return item if saying.generation is None else item | _to_generation_attributes(saying.generation)


def _to_generation_attributes(made: Generation) -> "Item":
    attributes: Item = {
        "generation_id": text(made.generation_id),
        "model": text(made.model),
        "vendor": text(made.vendor),
        "kind": text(made.kind),
        "simulated": {"BOOL": made.simulated},
        "prompt_version": text(made.prompt_version),
        "llm_time_ms": number(made.latency_ms),
        "input_tokens": number(made.usage.input_tokens),
        "output_tokens": number(made.usage.output_tokens),
        "cached_tokens": number(made.usage.cached_input_tokens),
        "created_at": number(made.created_at),
        "cache_write_tokens": number(made.usage.cache_write_tokens),
        "thinking_tokens": number(made.usage.thinking_tokens),
        "snapshot": text(made.snapshot),
    }
    return attributes if made.cost_nanos is None else attributes | {"cost_nanos": number(made.cost_nanos)}


# The mark of a withdrawn saying. Its `created_at`, a key of an index, is kept as `written_at` meanwhile.
WITHDRAWN = "withdrawn"


def is_placeholder(item: "Item") -> bool:
    """Whether the item only keeps the id of a withdrawn saying that is not stored."""
    return WITHDRAWN in item and "contributor" not in item


def to_saying(item: "Item") -> Saying | None:
    """The saying of an item; None for a damaged item."""
    try:
        services = tuple(service["S"] for service in item["services"]["L"])
        generation = _to_generation(item) if "generation_id" in item else None
        return Saying(item["saying_id"]["S"], item["saying"]["S"], services, item["source"]["S"], generation)
    except (KeyError, ValueError):
        return None


def _to_generation(item: "Item") -> Generation:
    return Generation(
        item["generation_id"]["S"],
        item["model"]["S"],
        item["vendor"]["S"],
        CallKind(item["kind"]["S"]),
        item["simulated"]["BOOL"],
        item["prompt_version"]["S"],
        float(item["llm_time_ms"]["N"]),
        Usage(
            int(item["input_tokens"]["N"]),
            int(item["output_tokens"]["N"]),
            int(item["cached_tokens"]["N"]),
            count(item, "cache_write_tokens"),
            count(item, "thinking_tokens"),
        ),
        int(item["cost_nanos"]["N"]) if "cost_nanos" in item else None,
        float((item.get("created_at") or item["written_at"])["N"]),
        item["snapshot"]["S"] if "snapshot" in item else "",  # not in the indexes, nor in items of earlier versions
    )


COMPARISON_PART = "comparison"
BALLOT_PREFIX = "ballot#"
# The number of ballots on a comparison is an item of its own, which is much smaller to write than the comparison.
BALLOTS_PART = "ballots"
# A comparison needs this many sayings to be voted on.
_LEAST_SAYINGS = 2


def comparison_key(comparison_id: str) -> "Item":
    return {"comparison_id": text(comparison_id), "part": text(COMPARISON_PART)}


def ballot_key(comparison_id: str, voter: str) -> "Item":
    return {"comparison_id": text(comparison_id), "part": text(BALLOT_PREFIX + voter)}


def ballots_key(comparison_id: str) -> "Item":
    return {"comparison_id": text(comparison_id), "part": text(BALLOTS_PART)}


def is_ballot(item: "Item") -> bool:
    return item["part"]["S"].startswith(BALLOT_PREFIX)


def realm(*, simulated: bool) -> "Value":
    return text("simulated" if simulated else "real")


def to_comparison_item(comparison: Comparison) -> "Item":
    item: Item = comparison_key(comparison.comparison_id) | {
        "service": text(comparison.service),
        "simulated": {"BOOL": comparison.simulated},
        "created_at": number(comparison.created_at),
        "entries": text(msgspec.json.encode(comparison.entries).decode()),
    }
    # Only items with a realm are in the index of comparisons that can be shown to other voters.
    return item | {"realm": realm(simulated=comparison.simulated)} if can_be_voted_on(comparison) else item


def can_be_voted_on(comparison: Comparison) -> bool:
    return sum(entry.saying is not None for entry in comparison.entries) >= _LEAST_SAYINGS


def to_comparison(item: "Item") -> Comparison | None:
    """The comparison of an item; None for a damaged item."""
    try:
        entries = msgspec.json.decode(item["entries"]["S"], type=tuple[Entry, ...])
        return Comparison(
            item["comparison_id"]["S"],
            item["service"]["S"],
            item["simulated"]["BOOL"],
            float(item["created_at"]["N"]),
            entries,
        )
    except (KeyError, ValueError):
        return None


def to_shown_item(ballot: Ballot) -> "Item":
    """The item of a ballot that has been shown but not cast."""
    return ballot_key(ballot.comparison_id, ballot.voter) | {"shown_at": number(ballot.shown_at)}


def to_cast_attributes(ballot: Ballot) -> "Item":
    """What a ballot has once it has been cast."""
    attributes: Item = {}
    if ballot.winner is not None and ballot.cast_at is not None and ballot.standing is not None:
        attributes |= {
            "winner": text(ballot.winner),
            "cast_at": number(ballot.cast_at),
            "standing": text(ballot.standing),
        }
    return attributes | {"network": text(ballot.network)} if ballot.network else attributes


def to_ballot(item: "Item") -> Ballot | None:
    """The ballot of an item; None for an empty or damaged item. Cast by an earlier version, it is unverified."""
    try:
        winner = item["winner"]["S"] if "winner" in item else None
        standing = Standing(item["standing"]["S"]) if "standing" in item else Standing.UNVERIFIED
        return Ballot(
            item["comparison_id"]["S"],
            item["part"]["S"].removeprefix(BALLOT_PREFIX),
            float(item["shown_at"]["N"]),
            winner,
            float(item["cast_at"]["N"]) if "cast_at" in item else None,
            None if winner is None else standing,
            _network(item),
            item["later"]["S"] if "later" in item else None,
        )
    except (KeyError, ValueError):
        return None


def to_call_item(call: Call) -> "Item":
    item = _to_generation_attributes(call.generation) | {
        "asked": number(call.asked),
        "sayings": number(call.sayings),
        "error_type": text(call.error_type),
    }
    rejected = {reason: number(sayings) for reason, sayings in call.rejected.items()}
    return item | {"rejected": {"M": rejected}} if rejected else item


def to_call(item: "Item") -> Call | None:
    """The call of an item; None for a damaged item."""
    try:
        rejected = {reason: int(value["N"]) for reason, value in item.get("rejected", {"M": {}})["M"].items()}
        return Call(
            _to_generation(item), count(item, "asked"), count(item, "sayings"), item["error_type"]["S"], rejected
        )
    except (KeyError, ValueError):
        return None
