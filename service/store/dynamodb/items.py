"""What an item looks like: sayings and votes as DynamoDB's typed values, and back."""

import hashlib
from typing import TYPE_CHECKING

from service.domain import CallKind, Generation, Saying, Usage, Vote
from service.store.dynamodb.tables import DRAW_SHELVES

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef

    Value = AttributeValueTypeDef
    Item = dict[str, Value]

# The points of the ring that sayings are drawn from: the shelves are its quarters, so that reads are spread.
RING = 2**48


def text(value: str) -> "Value":
    return {"S": value}


def number(value: float) -> "Value":
    # repr keeps every digit of a float; DynamoDB keeps 38.
    return {"N": repr(value)}


def count(item: "Item", attribute: str) -> int:
    return int(item[attribute]["N"]) if attribute in item else 0


def shelf_of(point: int) -> int:
    return point * DRAW_SHELVES // RING


def _point(saying_id: str) -> int:
    """Where on the ring a saying lies: evenly spread, whatever ids look like."""
    return int.from_bytes(hashlib.sha256(saying_id.encode()).digest()[:6], "big")


def to_vote_item(vote: Vote) -> "Item":
    item: Item = {
        "saying_id": text(vote.saying_id),
        "voter": text(vote.voter),
        "feedback_type": text(vote.feedback_type),
        "cast_at": number(vote.cast_at),
    }
    if vote.claimed_execution_ms is not None:
        # A client may claim 1e-300; DynamoDB refuses numbers that small.
        item["claimed_execution_ms"] = number(round(vote.claimed_execution_ms, 6))
    if vote.claimed_cached is not None:
        item["claimed_cached"] = {"BOOL": vote.claimed_cached}
    return item


def to_item(saying: Saying) -> "Item":
    point = _point(saying.saying_id)
    item: Item = {
        "saying_id": text(saying.saying_id),
        "saying": text(saying.text),
        "services": {"L": [text(service) for service in saying.services]},
        "source": text(saying.source),
        "contributor": text(saying.contributor),
        "draw_shelf": number(shelf_of(point)),
        "draw": number(point),
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
    }
    return attributes if made.cost_nanos is None else attributes | {"cost_nanos": number(made.cost_nanos)}


def to_saying(item: "Item") -> Saying | None:
    """The saying of an item; None for none or a damaged one, which is passed over."""
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
        Usage(int(item["input_tokens"]["N"]), int(item["output_tokens"]["N"]), int(item["cached_tokens"]["N"])),
        int(item["cost_nanos"]["N"]) if "cost_nanos" in item else None,
        float(item["created_at"]["N"]),
    )
