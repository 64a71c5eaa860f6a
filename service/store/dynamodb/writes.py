"""Builds the request of every write, without sending it. The guarantees of the store rest on the conditions here."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from service.catalogue.lifecycle import Lifecycle
from service.domain import Call, Saying, Withdrawal
from service.limits import DEFAULT_RETENTION
from service.store.base import CLOCK_LEEWAY_SECONDS, LONGEST_LEASE_SECONDS, Lease, SpendWindow
from service.store.dynamodb.items import WITHDRAWN, draw_attributes, number, realm, text, to_call_item, to_item
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import (
        DeleteItemInputTypeDef,
        TransactWriteItemTypeDef,
        UpdateItemInputTypeDef,
    )

    from service.store.dynamodb.items import Item

    Write = TransactWriteItemTypeDef

IS_NEW = "attribute_not_exists(saying_id)"
IS_KNOWN = "attribute_exists(saying_id)"
IS_NEW_CALL = "attribute_not_exists(generation_id)"
LEASE_IS_FREE = "attribute_not_exists(expires_at) OR expires_at <= :now OR expires_at > :latest OR taken_at > :soon"
IS_UP = "attribute_exists(draw)"
IS_HIDDEN = "attribute_exists(saying_id) AND attribute_not_exists(draw)"
IS_MARKED_WITHDRAWN = "attribute_exists(withdrawn)"
LEASE_IS_OURS = "#token = :token"
FITS = "(attribute_not_exists(#n{n}) OR #n{n} <= :r{n})"

# The names of items in the state, or what they begin with.
LEASES, SPEND, SECRETS, MODELS, PRUNE = "lease", "spend", "secret", "models", "prune"
# What concerns all models are attributes of one item, because models are few and are read together.
GONE_KEY: "Item" = {"name": {"S": MODELS}, "part": {"S": "gone"}}
LIFECYCLES_KEY: "Item" = {"name": {"S": MODELS}, "part": {"S": "lifecycles"}}
MODEL_PREFIX = "model#"
ANALYSIS_KEY: "Item" = {"name": {"S": "analysis"}, "part": {"S": "analysis"}}
# The requests to be forgotten are read together, so they are one partition.
REQUESTS = "forget"
# Of voters who have been forgotten, a mark is kept that leads to nobody: without it, tables that are restored as they
# were before would bring their votes back.
MARKS = "forgotten"
PLACE_KEY: "Item" = {"name": {"S": PRUNE}, "part": {"S": PRUNE}}

_TAKE_LEASE = "SET holder = :holder, expires_at = :until, taken_at = :now, #token = if_not_exists(#token, :none) + :one"
# The withdrawals are the parts of one name, and so are the reports, because there are few and they are read together.
WITHDRAWALS = "withdrawals"
REPORTS = "reports"
# It sorts before the ids of sayings, so that a query of all withdrawals returns it first.
WITHDRAWAL_REVISION_KEY: "Item" = {"name": {"S": WITHDRAWALS}, "part": {"S": "#revision"}}

# A withdrawal in which none of these has changed is the same one.
_ALL_OF_WITHDRAWAL = ("reason", "withdrawn_by", "withdrawn_at", "restored_at")
_WITHDRAWN_YES: "Item" = {":yes": {"BOOL": True}}
# These are counted from the beginning of the day.
_SPEND_KEPT = timedelta(days=1 + DEFAULT_RETENTION.spend_days)
_CLIENT_SPEND_KEPT = timedelta(days=1 + DEFAULT_RETENTION.client_spend_days)
# A request to be forgotten is carried out within days. If no pass runs for so long, it ends by itself.
_REQUEST_KEPT = timedelta(days=90)
# DynamoDB can restore a table as it was 35 days ago.
_FORGOTTEN_KEPT = timedelta(days=36)


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


def mark_of(voter: str) -> str:
    return hashlib.sha256(voter.encode()).hexdigest()


def note_forgotten(table: str, voter: str, *, at: float) -> "UpdateItemInputTypeDef":
    expires = datetime.fromtimestamp(at, UTC) + _FORGOTTEN_KEPT
    return {
        "TableName": table,
        "Key": {"name": text(MARKS), "part": text(mark_of(voter))},
        "UpdateExpression": "SET forgotten_at = :at, #expiry = :expiry",
        "ExpressionAttributeNames": {"#expiry": EXPIRY_ATTRIBUTE},
        "ExpressionAttributeValues": {":at": number(at), ":expiry": number(int(expires.timestamp()))},
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


def steps_from_or_to_nothing(before: int, step: int) -> bool:
    """Whether a step of one up is the first from nothing, or one down the last."""
    return before <= _last_before(step)


def stays_on_its_side(attribute: str, before: int, step: int) -> "tuple[str, Item]":
    """The condition that the step from this number of an attribute is still the first or last one, or still is not."""
    bound = number(_last_before(step))
    if steps_from_or_to_nothing(before, step):
        return f"(attribute_not_exists({attribute}) OR {attribute} <= :last)", {":last": bound}
    return f"{attribute} > :last", {":last": bound}


def _last_before(step: int) -> int:
    return 0 if step > 0 else 1


def is_still(item: "Item", *names: str) -> "tuple[str, Item]":
    """The condition that these attributes of an item are as they were read. An empty item does not exist."""
    conditions = (f"{name} = :{name}" if name in item else f"attribute_not_exists({name})" for name in names)
    return " AND ".join(conditions), {f":{name}": item[name] for name in names if name in item}


def take_lease(table: str, name: str, holder: str, *, now: float, until: float) -> "UpdateItemInputTypeDef":
    """Take a lease that has expired or is void. DynamoDB returns what was there before."""
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
            ":latest": number(now + LONGEST_LEASE_SECONDS + CLOCK_LEEWAY_SECONDS),
            ":soon": number(now + CLOCK_LEEWAY_SECONDS),
            ":none": number(0),
            ":one": number(1),
        },
        "ReturnValues": "UPDATED_OLD",
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


def add_spend(table: str, item: "Item", window: SpendWindow, amounts: Mapping[str, int]) -> "UpdateItemInputTypeDef":
    """Add to the attributes of an item that holds a day's spend."""
    kept = _SPEND_KEPT if item == spend_key(window) else _CLIENT_SPEND_KEPT
    expires = datetime.fromisoformat(window.day).replace(tzinfo=UTC) + kept
    expression, names, values = addition(amounts)
    return {
        "TableName": table,
        "Key": item,
        "UpdateExpression": f"{expression} SET #expiry = :expiry",
        "ExpressionAttributeNames": {**names, "#expiry": EXPIRY_ATTRIBUTE},
        "ExpressionAttributeValues": {**values, ":expiry": number(int(expires.timestamp()))},
    }


def add_spend_within(
    table: str, item: "Item", window: SpendWindow, amount: int, rooms: Mapping[str, int]
) -> "UpdateItemInputTypeDef":
    """Add an amount to attributes unless one of them exceeds its room already. DynamoDB returns the new spend."""
    update = add_spend(table, item, window, dict.fromkeys(rooms, amount))
    update["ReturnValues"] = "UPDATED_NEW"
    update["ConditionExpression"] = " AND ".join(FITS.format(n=index) for index in range(len(rooms)))
    bounds = {f":r{index}": number(room) for index, room in enumerate(rooms.values())}
    update["ExpressionAttributeValues"] = {**update["ExpressionAttributeValues"], **bounds}
    return update


def secret_name(day: str) -> str:
    return f"{SECRETS}#{day}"


def keep_secret(table: str, day: str, secret: str) -> "UpdateItemInputTypeDef":
    """Keep the secret of a day, unless there is one. DynamoDB returns the one that there is by then."""
    expires = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=DEFAULT_RETENTION.secret_days)
    return {
        "TableName": table,
        "Key": {"name": text(secret_name(day)), "part": text("secret")},
        "UpdateExpression": "SET secret = if_not_exists(secret, :secret), #expiry = :expiry",
        "ExpressionAttributeNames": {"#expiry": EXPIRY_ATTRIBUTE},
        "ExpressionAttributeValues": {":secret": text(secret), ":expiry": number(int(expires.timestamp()))},
        "ReturnValues": "ALL_NEW",
    }


def put_analysis(table: str, analysis: str) -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": ANALYSIS_KEY,
        "UpdateExpression": "SET analysis = :analysis",
        "ExpressionAttributeValues": {":analysis": text(analysis)},
    }


def note_check(table: str, *, at: float) -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": {"name": text("check"), "part": text("check")},
        "UpdateExpression": "SET checked_at = :at",
        "ExpressionAttributeValues": {":at": number(at)},
    }


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


def put_withdrawal(table: str, withdrawal: Withdrawal, before: "Item") -> "Write":
    """Put a withdrawal in the place of an earlier one, on the condition that this is as it was read."""
    condition, values = is_still(before, *_ALL_OF_WITHDRAWAL)
    return {
        "Update": {
            "TableName": table,
            "Key": withdrawal_key(withdrawal.saying_id),
            "ConditionExpression": condition,
            "UpdateExpression": "SET reason = :new, withdrawn_by = :by, withdrawn_at = :at REMOVE restored_at",
            "ExpressionAttributeValues": {
                **values,
                ":new": text(withdrawal.reason),
                ":by": text(withdrawal.withdrawn_by),
                ":at": number(withdrawal.withdrawn_at),
            },
        }
    }


def end_withdrawal(table: str, withdrawal: "Item", *, at: float) -> "Write":
    """End a withdrawal on the condition that it is as it was read."""
    condition, values = is_still(withdrawal, *_ALL_OF_WITHDRAWAL)
    return {
        "Update": {
            "TableName": table,
            "Key": {"name": withdrawal["name"], "part": withdrawal["part"]},
            "ConditionExpression": condition,
            "UpdateExpression": "SET restored_at = :at",
            "ExpressionAttributeValues": {**values, ":at": number(at)},
        }
    }


def next_withdrawal_revision(table: str) -> "Write":
    return add_to(table, WITHDRAWAL_REVISION_KEY, {"revision": 1})


def hide_saying(table: str, saying_id: str, saying: "Item") -> "Write":
    """Mark a saying as withdrawn and take it out of the indexes, on the condition that its item is as it was read.

    An item that is empty gets the mark alone.
    """
    expression, values = f"SET {WITHDRAWN} = :yes", _WITHDRAWN_YES
    if "created_at" in saying:
        expression, values = f"{expression}, written_at = :written", values | {":written": saying["created_at"]}
    condition = IS_HIDDEN if saying else IS_NEW
    if "draw" in saying:
        expression, condition = f"{expression} REMOVE draw_shelf, draw, created_at", IS_UP
    return {
        "Update": {
            "TableName": table,
            "Key": {"saying_id": text(saying_id)},
            "ConditionExpression": condition,
            "UpdateExpression": expression,
            "ExpressionAttributeValues": values,
        }
    }


def show_saying(table: str, saying: "Item") -> "list[Write]":
    """Undo `hide_saying`; there is nothing to do when the item has been deleted or put anew meanwhile."""
    if WITHDRAWN not in saying:
        return []
    key = {"saying_id": saying["saying_id"]}
    if "contributor" not in saying:
        return [{"Delete": {"TableName": table, "Key": key, "ConditionExpression": IS_MARKED_WITHDRAWN}}]
    attributes = draw_attributes(saying["saying_id"]["S"])
    if "written_at" in saying:
        attributes["created_at"] = saying["written_at"]
    return [
        {
            "Update": {
                "TableName": table,
                "Key": key,
                "ConditionExpression": IS_MARKED_WITHDRAWN,
                "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in attributes)} "
                f"REMOVE {WITHDRAWN}, written_at",
                "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
            }
        }
    ]


def settle_reports(table: str, saying_id: str, *, networks: int) -> "Write":
    """Count the reports of so many networks no more."""
    return {
        "Update": {
            "TableName": table,
            "Key": reports_key(saying_id),
            "UpdateExpression": "SET settled = :networks",
            "ExpressionAttributeValues": {":networks": number(networks)},
        }
    }


def put_list(table: str, key: "Item", contents: "Item") -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in contents),
        "ExpressionAttributeValues": {f":{name}": value for name, value in contents.items()},
    }


def lists_name(*, simulated: bool) -> str:
    return f"lists#{realm(simulated=simulated)['S']}"


def list_key(part: str, *, simulated: bool) -> "Item":
    return {"name": text(lists_name(simulated=simulated)), "part": text(part)}


def withdrawal_key(saying_id: str) -> "Item":
    return {"name": text(WITHDRAWALS), "part": text(saying_id)}


def reports_key(saying_id: str) -> "Item":
    return {"name": text(REPORTS), "part": text(saying_id)}


def add_reporter(table: str, saying_id: str, reporter: str) -> "UpdateItemInputTypeDef":
    return _change_reporters(table, saying_id, "ADD reporters :reporter", reporter)


def remove_reporter(table: str, saying_id: str, reporter: str) -> "UpdateItemInputTypeDef":
    return _change_reporters(table, saying_id, "DELETE reporters :reporter", reporter)


def _change_reporters(table: str, saying_id: str, expression: str, reporter: str) -> "UpdateItemInputTypeDef":
    return {
        "TableName": table,
        "Key": reports_key(saying_id),
        "UpdateExpression": expression,
        "ExpressionAttributeValues": {":reporter": {"SS": [reporter]}},
    }


def lease_key(name: str) -> "Item":
    return {"name": text(f"{LEASES}#{name}"), "part": text("lease")}


def spend_key(window: SpendWindow, share: str = "") -> "Item":
    """The key of the item that holds a share's spend. There are few purposes, so they are in the item of the day."""
    own = f"#{share}" if is_apart(share) else ""
    return {"name": text(f"{SPEND}#{window.day}{own}"), "part": text("spend")}


def request_key(voter: str) -> "Item":
    return {"name": text(REQUESTS), "part": text(voter)}


def is_apart(share: str) -> bool:
    """Whether the share has an item of its own, as each client has: there may be any number of them."""
    return "/" in share


def spend_attributes(window: SpendWindow, share: str = "") -> tuple[str, str]:
    """The attributes that hold the day's and the hour's spend of all, or of a share."""
    hour = f"h{window.hour[-2:]}"
    return ("total", hour) if is_apart(share) or not share else (share, f"{share}_{hour}")
