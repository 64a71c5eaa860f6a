"""Builds the writes of votes and ballots. That each is counted once rests on the conditions here."""

from typing import TYPE_CHECKING

from service.domain import Ballot, Comparison, Standing
from service.store.base import StoredVote
from service.store.dynamodb.items import (
    OPINION_ATTRIBUTES,
    ballot_key,
    ballots_key,
    can_be_voted_on,
    comparison_key,
    count,
    number,
    opinion_attributes,
    realm,
    text,
    to_cast_attributes,
    to_comparison_item,
    to_shown_item,
    to_vote_item,
    vote_key,
)
from service.store.dynamodb.writes import IS_KNOWN, IS_NEW, add_to, addition, is_still, stays_on_its_side

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UpdateItemInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

IS_NEW_COMPARISON = "attribute_not_exists(comparison_id)"
IS_OLD_COMPARISON = "attribute_exists(comparison_id)"
IS_STILL_COUNTED = "standing = :counted"
IS_STILL_THAT_CHOICE = "winner = :before"
IS_NOT_CAST_YET = "attribute_exists(shown_at) AND attribute_not_exists(winner)"
IS_CAST = "attribute_exists(winner)"
ARE_NONE = "attribute_not_exists(ballots)"

# A vote in which none of these has changed is the same vote in every respect.
_ALL_THAT_CHANGES = ("feedback_type", "first_cast_at", "standing", "opinion", "cast_at")


def put_new_vote(table: str, vote: StoredVote) -> "Write":
    return {"Put": {"TableName": table, "Item": to_vote_item(vote), "ConditionExpression": IS_NEW}}


def change_opinion(table: str, before: "Item", after: StoredVote) -> "Write":
    """Change the present opinion of a vote on the condition that it is still the one that was read.

    The oldest votes have no time of their first casting but `cast_at`, which changes.
    """
    condition, values = is_still(before, "feedback_type", "opinion")
    attributes = {"first_cast_at": number(after.first_cast_at), **opinion_attributes(after)}
    expression = "SET " + ", ".join(f"{name} = :new_{name}" for name in attributes)
    if gone := [name for name in OPINION_ATTRIBUTES if name not in attributes]:
        expression += f" REMOVE {', '.join(gone)}"
    return {
        "Update": {
            "TableName": table,
            "Key": vote_key(after.saying_id, after.voter),
            "ConditionExpression": condition,
            "UpdateExpression": expression,
            "ExpressionAttributeValues": {**values, **{f":new_{name}": value for name, value in attributes.items()}},
        }
    }


def set_vote_aside(table: str, saying_id: str, voter: str) -> "Write":
    return {
        "Update": {
            "TableName": table,
            "Key": vote_key(saying_id, voter),
            "ConditionExpression": IS_STILL_COUNTED,
            "UpdateExpression": "SET standing = :aside",
            "ExpressionAttributeValues": {":counted": text(Standing.COUNTED), ":aside": text(Standing.SET_ASIDE)},
        }
    }


def delete_vote(table: str, vote: "Item") -> "Write":
    """Delete a vote on the condition that it is as it was read."""
    condition, values = is_still(vote, *_ALL_THAT_CHANGES)
    return {
        "Delete": {
            "TableName": table,
            "Key": {"saying_id": vote["saying_id"], "voter": vote["voter"]},
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }
    }


def add_to_saying(table: str, saying: "Item", *, upvotes: int, downvotes: int, blind_votes: int = 0) -> "Write":
    """Add to the counters of a saying. The first of its counted blind votes, and the last, is the only one."""
    counts = {"upvotes": upvotes, "downvotes": downvotes, "blind_votes": blind_votes}
    expression, names, values = addition({name: step for name, step in counts.items() if step})
    conditions = [IS_KNOWN]
    if blind_votes:
        condition, bound = stays_on_its_side("blind_votes", count(saying, "blind_votes"), blind_votes)
        conditions.append(condition)
        values |= bound
    return {
        "Update": {
            "TableName": table,
            "Key": {"saying_id": saying["saying_id"]},
            "ConditionExpression": " AND ".join(conditions),
            "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def forget_network(table: str, key: "Item") -> "UpdateItemInputTypeDef":
    """Remove the hash of an address from a vote or ballot, also what earlier versions have stored as its burst."""
    return {
        "TableName": table,
        "Key": key,
        "ConditionExpression": "attribute_exists(network) OR attribute_exists(burst)",
        "UpdateExpression": "REMOVE network, burst",
    }


def put(table: str, item: "Item") -> "Write":
    return {"Put": {"TableName": table, "Item": item}}


def delete(table: str, key: "Item") -> "Write":
    return {"Delete": {"TableName": table, "Key": key}}


def put_new_comparison(table: str, comparison: Comparison) -> "Write":
    item = to_comparison_item(comparison)
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": IS_NEW_COMPARISON}}


def put_new_ballot(table: str, ballot: Ballot) -> "Write":
    return {"Put": {"TableName": table, "Item": to_shown_item(ballot), "ConditionExpression": IS_NEW_COMPARISON}}


def cast_first(table: str, ballot: Ballot) -> "Write":
    """Store a voter's first choice."""
    attributes = to_cast_attributes(ballot)
    return {
        "Update": {
            "TableName": table,
            "Key": ballot_key(ballot.comparison_id, ballot.voter),
            "ConditionExpression": IS_NOT_CAST_YET,
            "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in attributes),
            "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
        }
    }


def cast_later(table: str, ballot: Ballot, later: str) -> "Write":
    """Store what a voter chose after the reveal."""
    return {
        "Update": {
            "TableName": table,
            "Key": ballot_key(ballot.comparison_id, ballot.voter),
            "ConditionExpression": IS_CAST,
            "UpdateExpression": "SET later = :later",
            "ExpressionAttributeValues": {":later": text(later)},
        }
    }


def delete_ballot(table: str, ballot: Ballot) -> "Write":
    """Delete a cast ballot. Its choice never changes, so the condition is that it has not been deleted meanwhile."""
    return {
        "Delete": {
            "TableName": table,
            "Key": ballot_key(ballot.comparison_id, ballot.voter),
            "ConditionExpression": IS_CAST,
        }
    }


def delete_uncast(table: str, comparison_id: str, voter: str) -> "Write":
    """Delete a ballot on the condition that it has not been cast meanwhile."""
    key = ballot_key(comparison_id, voter)
    return {"Delete": {"TableName": table, "Key": key, "ConditionExpression": "attribute_not_exists(winner)"}}


def add_ballot(table: str, comparison: Comparison, before: int, most: int) -> "list[Write]":
    """Add to the `before` ballots on a comparison. When it has `most` of them, it is no longer offered to others.

    The condition is that the ballot still is the one that ends the offer, or still is not.
    """
    last = most - 1
    if before > last:
        return [_add_to_ballots(table, comparison, 1)]
    if before < last:
        return [_add_to_ballots(table, comparison, 1, f"({ARE_NONE} OR ballots < :bound)", last)]
    return [
        _add_to_ballots(table, comparison, 1, f"({ARE_NONE} OR ballots = :bound)", last),
        {
            "Update": {
                "TableName": table,
                "Key": comparison_key(comparison.comparison_id),
                "ConditionExpression": IS_OLD_COMPARISON,
                "UpdateExpression": "REMOVE realm",
            }
        },
    ]


def remove_ballot(table: str, comparison: Comparison, before: int, most: int) -> "list[Write]":
    """Take one from the `before` ballots on a comparison. When it has less than `most` again, it is offered again."""
    if before != most or not can_be_voted_on(comparison):
        return [_add_to_ballots(table, comparison, -1)]
    return [
        _add_to_ballots(table, comparison, -1, "ballots = :bound", most),
        {
            "Update": {
                "TableName": table,
                "Key": comparison_key(comparison.comparison_id),
                "ConditionExpression": IS_OLD_COMPARISON,
                "UpdateExpression": "SET realm = :realm",
                "ExpressionAttributeValues": {":realm": realm(simulated=comparison.simulated)},
            }
        },
    ]


def _add_to_ballots(
    table: str, comparison: Comparison, step: int, condition: str | None = None, bound: int = 0
) -> "Write":
    add = add_to(table, ballots_key(comparison.comparison_id), {"ballots": step})
    if condition is not None:
        add["Update"]["ConditionExpression"] = condition
        add["Update"]["ExpressionAttributeValues"] = {
            **add["Update"]["ExpressionAttributeValues"],
            ":bound": number(bound),
        }
    return add
