"""Every write as a request, decided without sending it. The conditions are what the store's promises rest on."""

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from service.domain import Saying, Vote
from service.store.base import Lease, SpendWindow
from service.store.dynamodb.items import number, text, to_item, to_vote_item
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, TALLY_SHARDS

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateItemInputTypeDef

    from service.store.dynamodb.items import Item, Value

    Write = TransactWriteItemTypeDef

IS_NEW = "attribute_not_exists(saying_id)"
IS_KNOWN = "attribute_exists(saying_id)"
IS_STILL_THAT_VOTE = "feedback_type = :before"
LEASE_IS_FREE = "attribute_not_exists(expires_at) OR expires_at <= :now"
LEASE_IS_OURS = "#token = :token"
FITS_THE_CAPS = (
    "(attribute_not_exists(#day) OR #day <= :day_room) AND (attribute_not_exists(#hour) OR #hour <= :hour_room)"
)

_TAKE_LEASE = "SET holder = :holder, expires_at = :until, #token = if_not_exists(#token, :none) + :one"
# A day's spend is kept for a while for people who look into a bill.
_SPEND_KEPT = timedelta(days=35)


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


def replace_vote(table: str, before: "Item", vote: Vote | None) -> "Write":
    """Put `vote` where the item `before` still is (empty: where there is none); None takes it away."""
    if vote is None:
        return {
            "Delete": {
                "TableName": table,
                "Key": {"saying_id": before["saying_id"], "voter": before["voter"]},
                "ConditionExpression": IS_STILL_THAT_VOTE,
                "ExpressionAttributeValues": {":before": before["feedback_type"]},
            }
        }
    if not before:
        return {"Put": {"TableName": table, "Item": to_vote_item(vote), "ConditionExpression": IS_NEW}}
    return {
        "Put": {
            "TableName": table,
            "Item": to_vote_item(vote),
            "ConditionExpression": IS_STILL_THAT_VOTE,
            "ExpressionAttributeValues": {":before": before["feedback_type"]},
        }
    }


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


def add_to_tally(table: str, contributor: str, *, serves: int = 0, upvotes: int = 0, downvotes: int = 0) -> "Write":
    # Any shard will do: whoever reads tallies sums them all.
    shard = random.randrange(TALLY_SHARDS)
    return {
        "Update": {
            "TableName": table,
            "Key": {"name": tally_name(shard), "part": text(contributor)},
            "UpdateExpression": "ADD serves :serves, upvotes :up, downvotes :down",
            "ExpressionAttributeValues": {
                ":serves": number(serves),
                ":up": number(upvotes),
                ":down": number(downvotes),
            },
        }
    }


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
    """Add an amount unless more than this much is spent already; answered with what is spent then."""
    update = add_spend(table, window, amount)
    update["ReturnValues"] = "UPDATED_NEW"
    rooms = {":day_room": number(day_room), ":hour_room": number(hour_room)}
    update["ConditionExpression"] = FITS_THE_CAPS
    update["ExpressionAttributeValues"] = {**update["ExpressionAttributeValues"], **rooms}
    return update


def lease_key(name: str) -> "Item":
    return {"name": text(f"lease#{name}"), "part": text("lease")}


def spend_key(window: SpendWindow) -> "Item":
    return {"name": text(f"spend#{window.day}"), "part": text("spend")}


def hour_attribute(window: SpendWindow) -> str:
    return f"h{window.hour[-2:]}"


def tally_name(shard: int) -> "Value":
    return text(f"tally#{shard}")
