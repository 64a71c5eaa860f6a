"""Builds the request of every write, without sending it. The guarantees of the store rest on the conditions here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from service.catalogue.lifecycle import Lifecycle
from service.domain import Ballot, Call, Comparison, Saying
from service.store.base import Lease, SpendWindow, StoredVote
from service.store.dynamodb.items import (
    ballot_key,
    is_counted_in_full,
    number,
    text,
    to_call_item,
    to_comparison_item,
    to_item,
    to_shown_item,
    to_vote_item,
)
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import (
        DeleteItemInputTypeDef,
        TransactWriteItemTypeDef,
        UpdateItemInputTypeDef,
    )

    from service.store.dynamodb.items import Item, Value

    Write = TransactWriteItemTypeDef

IS_NEW = "attribute_not_exists(saying_id)"
IS_KNOWN = "attribute_exists(saying_id)"
# A vote that was withdrawn and cast again may be the same opinion, but it is another vote: its hour or its address may
# differ.
IS_STILL_THAT_VOTE = "feedback_type = :before AND first_cast_at = :first AND burst = :burst"
IS_STILL_THAT_OLD_VOTE = "feedback_type = :before AND attribute_not_exists(first_cast_at)"
IS_NEW_COMPARISON = "attribute_not_exists(comparison_id)"
BURST_EXISTS = "attribute_exists(votes)"
IS_NEW_CALL = "attribute_not_exists(generation_id)"
IS_STILL_THAT_CHOICE = "winner = :before"
IS_NOT_CAST_YET = "attribute_exists(shown_at) AND attribute_not_exists(winner)"
LEASE_IS_FREE = "attribute_not_exists(expires_at) OR expires_at <= :now"
LEASE_IS_OURS = "#token = :token"
FITS_THE_CAPS = (
    "(attribute_not_exists(#day) OR #day <= :day_room) AND (attribute_not_exists(#hour) OR #hour <= :hour_room)"
)

# What concerns all models are attributes of one item, because models are few and are read together.
GONE_KEY: "Item" = {"name": {"S": "models"}, "part": {"S": "gone"}}
LIFECYCLES_KEY: "Item" = {"name": {"S": "models"}, "part": {"S": "lifecycles"}}
MODEL_PREFIX = "model#"
# The requests to be forgotten are read together, so they are one partition.
REQUESTS = "forget"

_TAKE_LEASE = "SET holder = :holder, expires_at = :until, #token = if_not_exists(#token, :none) + :one"
# A day's spend is kept for a while, so that the operator can check a bill.
_SPEND_KEPT = timedelta(days=35)
# A request to be forgotten is carried out within days. If no pass runs for so long, it ends by itself.
_REQUEST_KEPT = timedelta(days=90)


def put_new_saying(table: str, saying: Saying) -> "Write":
    return {"Put": {"TableName": table, "Item": to_item(saying), "ConditionExpression": IS_NEW}}


def check_fence(table: str, fence: Lease) -> "Write":
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": lease_key(fence.name),
            "ConditionExpression": LEASE_IS_OURS,
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": {":token": number(fence.token)},
        }
    }


def replace_vote(table: str, before: "Item", vote: StoredVote | None) -> "Write":
    """Replace the item `before` by `vote` on the condition that the item is unchanged.

    `before` is empty when there must be no vote yet. A `vote` of None deletes the item.
    """
    if not before and vote is not None:
        return {"Put": {"TableName": table, "Item": to_vote_item(vote), "ConditionExpression": IS_NEW}}
    condition, values = _is_still(before)
    if vote is None:
        return {
            "Delete": {
                "TableName": table,
                "Key": {"saying_id": before["saying_id"], "voter": before["voter"]},
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
        }
    return {
        "Put": {
            "TableName": table,
            "Item": to_vote_item(vote),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }
    }


def _is_still(vote: "Item") -> "tuple[str, Item]":
    opinion = {":before": vote["feedback_type"]}
    if not is_counted_in_full(vote):
        return IS_STILL_THAT_OLD_VOTE, opinion
    return IS_STILL_THAT_VOTE, opinion | {":first": vote["first_cast_at"], ":burst": vote["burst"]}


def add_to_saying(table: str, saying_id: str, *, upvotes: int, downvotes: int) -> "Write":
    return {
        "Update": {
            "TableName": table,
            "Key": {"saying_id": text(saying_id)},
            "ConditionExpression": IS_KNOWN,
            "UpdateExpression": "ADD upvotes :up, downvotes :down",
            "ExpressionAttributeValues": {":up": number(upvotes), ":down": number(downvotes)},
        }
    }


def put_new_comparison(table: str, comparison: Comparison) -> "Write":
    item = to_comparison_item(comparison)
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": IS_NEW_COMPARISON}}


def put_new_ballot(table: str, ballot: Ballot) -> "Write":
    return {"Put": {"TableName": table, "Item": to_shown_item(ballot), "ConditionExpression": IS_NEW_COMPARISON}}


def cast(table: str, ballot: Ballot, winner: str, *, before: str | None) -> "Write":
    """Choose a winner on the condition that the choice is still `before`, where None means no choice yet."""
    values = {":winner": text(winner), ":cast_at": number(ballot.cast_at or ballot.shown_at)}
    if before is None:
        update, condition = "SET winner = :winner, cast_at = :cast_at, burst = :burst", IS_NOT_CAST_YET
        values[":burst"] = text(ballot.burst)
    else:
        update, condition = "SET winner = :winner, cast_at = :cast_at", IS_STILL_THAT_CHOICE
        values[":before"] = text(before)
    return {
        "Update": {
            "TableName": table,
            "Key": ballot_key(ballot.comparison_id, ballot.voter),
            "ConditionExpression": condition,
            "UpdateExpression": update,
            "ExpressionAttributeValues": values,
        }
    }


def delete_ballot(table: str, ballot: Ballot, winner: str) -> "Write":
    """Delete a cast ballot on the condition that its choice is still `winner`."""
    return {
        "Delete": {
            "TableName": table,
            "Key": ballot_key(ballot.comparison_id, ballot.voter),
            "ConditionExpression": IS_STILL_THAT_CHOICE,
            "ExpressionAttributeValues": {":before": text(winner)},
        }
    }


def delete_uncast(table: str, comparison_id: str, voter: str) -> "DeleteItemInputTypeDef":
    """Delete a ballot on the condition that it has not been cast meanwhile."""
    key = ballot_key(comparison_id, voter)
    return {"TableName": table, "Key": key, "ConditionExpression": "attribute_not_exists(winner)"}


def put(table: str, item: "Item") -> "Write":
    return {"Put": {"TableName": table, "Item": item}}


def replace_burst(table: str, key: "Item", *, before: str, after: "Value") -> "UpdateItemInputTypeDef":
    """Replace the burst of a vote or ballot on the condition that it is still `before`."""
    return {
        "TableName": table,
        "Key": key,
        "ConditionExpression": "burst = :before",
        "UpdateExpression": "SET burst = :after",
        "ExpressionAttributeValues": {":before": text(before), ":after": after},
    }


def ask_to_forget(table: str, voter: str, *, asked_at: float) -> "UpdateItemInputTypeDef":
    expires = datetime.fromtimestamp(asked_at, UTC) + _REQUEST_KEPT
    return {
        "TableName": table,
        "Key": request_key(voter),
        "UpdateExpression": "SET asked_at = :asked, #expiry = :expiry",
        "ExpressionAttributeNames": {"#expiry": EXPIRY_ATTRIBUTE},
        "ExpressionAttributeValues": {":asked": number(asked_at), ":expiry": number(int(expires.timestamp()))},
    }


def delete_request(table: str, voter: str, *, asked_at: float) -> "DeleteItemInputTypeDef":
    """Delete a request to be forgotten, unless the voter has asked again since."""
    return {
        "TableName": table,
        "Key": request_key(voter),
        "ConditionExpression": "asked_at = :asked",
        "ExpressionAttributeValues": {":asked": number(asked_at)},
    }


def settle_for_good(table: str, key: "Item") -> "UpdateItemInputTypeDef":
    """Mark a burst as settled. The new revision refuses votes that are about to move it across the limit."""
    return {
        "TableName": table,
        "Key": key,
        "ConditionExpression": BURST_EXISTS,
        "UpdateExpression": "SET settled = :yes ADD revision :one",
        "ExpressionAttributeValues": {":yes": {"BOOL": True}, ":one": number(1)},
        "ReturnValues": "ALL_NEW",
    }


def put_new_call(table: str, call: Call) -> "Write":
    return {"Put": {"TableName": table, "Item": to_call_item(call), "ConditionExpression": IS_NEW_CALL}}


def add_to(table: str, key: "Item", counts: Mapping[str, float], *, expires: int | None = None) -> "Write":
    """Add to the attributes of an item. `expires` is when DynamoDB may delete it, in seconds since the epoch."""
    expression, names, values = addition(counts)
    if expires is not None:
        expression += " SET #expiry = :expiry"
        names["#expiry"] = EXPIRY_ATTRIBUTE
        values[":expiry"] = number(expires)
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def addition(counts: Mapping[str, float]) -> "tuple[str, dict[str, str], Item]":
    """An ADD expression for attributes of any name, with the names and the values that its placeholders stand for."""
    expression = "ADD " + ", ".join(f"#n{index} :n{index}" for index in range(len(counts)))
    names = {f"#n{index}": name for index, name in enumerate(counts)}
    values = {f":n{index}": number(amount) for index, amount in enumerate(counts.values())}
    return expression, names, values


def take_lease(table: str, name: str, holder: str, *, now: float, until: float) -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": lease_key(name),
        "ConditionExpression": LEASE_IS_FREE,
        "UpdateExpression": _TAKE_LEASE,
        "ExpressionAttributeNames": {"#token": "token"},
        "ExpressionAttributeValues": {
            ":holder": text(holder),
            ":now": number(now),
            ":until": number(until),
            ":none": number(0),
            ":one": number(1),
        },
        "ReturnValues": "UPDATED_NEW",
    }


def prolong_lease(table: str, lease: Lease, *, until: float) -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": lease_key(lease.name),
        "ConditionExpression": LEASE_IS_OURS,
        "UpdateExpression": "SET expires_at = :until",
        "ExpressionAttributeNames": {"#token": "token"},
        "ExpressionAttributeValues": {":token": number(lease.token), ":until": number(until)},
    }


def add_spend(table: str, window: SpendWindow, amount: int) -> "UpdateItemInputTypeDef":
    expires = datetime.fromisoformat(window.day).replace(tzinfo=UTC) + _SPEND_KEPT
    return {
        "TableName": table,
        "Key": spend_key(window),
        "UpdateExpression": "ADD #day :amount, #hour :amount SET #expiry = :expiry",
        "ExpressionAttributeNames": {"#day": "total", "#hour": hour_attribute(window), "#expiry": EXPIRY_ATTRIBUTE},
        "ExpressionAttributeValues": {":amount": number(amount), ":expiry": number(int(expires.timestamp()))},
    }


def add_spend_within(
    table: str, window: SpendWindow, amount: int, *, day_room: int, hour_room: int
) -> "UpdateItemInputTypeDef":
    """Add an amount unless the spend exceeds `day_room` or `hour_room` already. DynamoDB returns the new spend."""
    update = add_spend(table, window, amount)
    update["ReturnValues"] = "UPDATED_NEW"
    rooms = {":day_room": number(day_room), ":hour_room": number(hour_room)}
    update["ConditionExpression"] = FITS_THE_CAPS
    update["ExpressionAttributeValues"] = {**update["ExpressionAttributeValues"], **rooms}
    return update


def mark_gone(table: str, model: str, *, since: float) -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": GONE_KEY,
        "UpdateExpression": "SET #model = :since",
        "ExpressionAttributeNames": {"#model": MODEL_PREFIX + model},
        "ExpressionAttributeValues": {":since": number(since)},
    }


def put_lifecycles(table: str, lifecycles: Sequence[Lifecycle]) -> "UpdateItemInputTypeDef":
    numbered = list(enumerate(lifecycles))
    return {
        "TableName": table,
        "Key": LIFECYCLES_KEY,
        "UpdateExpression": "SET " + ", ".join(f"#m{number} = :m{number}" for number, _ in numbered),
        "ExpressionAttributeNames": {f"#m{number}": MODEL_PREFIX + each.model for number, each in numbered},
        "ExpressionAttributeValues": {
            f":m{number}": text(msgspec.json.encode(each).decode()) for number, each in numbered
        },
    }


def lease_key(name: str) -> "Item":
    return {"name": text(f"lease#{name}"), "part": text("lease")}


def request_key(voter: str) -> "Item":
    return {"name": text(REQUESTS), "part": text(voter)}


def spend_key(window: SpendWindow) -> "Item":
    return {"name": text(f"spend#{window.day}"), "part": text("spend")}


def hour_attribute(window: SpendWindow) -> str:
    return f"h{window.hour[-2:]}"
