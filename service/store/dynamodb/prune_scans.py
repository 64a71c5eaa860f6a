"""The scans by which a pass finds what has reached its end, and the rows of voters who asked to be forgotten."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from service.store.dynamodb.items import BALLOT_PREFIX, number, text
from service.store.dynamodb.quota_items import NETWORK_PART, network_name
from service.store.dynamodb.writes import secret_name
from service.store.retention import FORGOTTEN, Cutoffs

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import ScanInputTypeDef

    from service.store.dynamodb.items import Item

# The items in which earlier versions have counted the votes of an address within an hour.
_BURST_PART = "burst"
# How many items are scanned, and then changed, at a time. Most pages have nothing to change.
PAGE_ITEMS = 1_000
# DynamoDB compares with this many values at most. Beyond, all items are read.
_MOST_COMPARED = 100

# Earlier versions have stored the hash of an address as a burst.
_OLD_ADDRESS = "((network > :none AND network < :addresses) OR (burst > :none AND burst < :addresses))"
_OLD_VOTE = (
    "((first_cast_at < :voters OR (attribute_not_exists(first_cast_at) AND cast_at < :voters))"
    " AND NOT begins_with(voter, :forgotten))"
)
_OLD_BALLOT = "(shown_at < :voters AND NOT begins_with(#part, :forgotten))"
_UNVOTED = "(attribute_exists(shown_at) AND attribute_not_exists(winner) AND shown_at < :unvoted)"


def votes_scan(table: str, asked: Iterable[str], cutoffs: Cutoffs) -> "ScanInputTypeDef":
    """A scan for the votes that have something in them that has reached its end, and for those of the voters who asked.

    When these are many, it returns all votes. The same is true of the other scan.
    """
    return _scan(table, [_OLD_ADDRESS, _OLD_VOTE], "voter", [*asked], cutoffs, FORGOTTEN)


def ballots_scan(table: str, asked: Iterable[str], cutoffs: Cutoffs) -> "ScanInputTypeDef":
    keys = [BALLOT_PREFIX + voter for voter in asked]
    due = [_OLD_ADDRESS, _OLD_BALLOT, _UNVOTED]
    scan = _scan(table, due, "#part", keys, cutoffs, BALLOT_PREFIX + FORGOTTEN)
    if "FilterExpression" in scan:
        scan["ExpressionAttributeNames"] = {"#part": "part"}
        scan["ExpressionAttributeValues"] = {
            **scan["ExpressionAttributeValues"],
            ":unvoted": number(cutoffs.unvoted),
        }
    return scan


def _scan(
    table: str, due: list[str], key: str, asked: list[str], cutoffs: Cutoffs, forgotten: str
) -> "ScanInputTypeDef":
    """A scan for what has reached its end, and for the keys of those who asked."""
    if len(asked) > _MOST_COMPARED:
        return {"TableName": table, "Limit": PAGE_ITEMS}
    names = {f":asked{position}": text(name) for position, name in enumerate(asked)}
    any_asked = [f"{key} IN ({', '.join(names)})"] if names else []
    return {
        "TableName": table,
        "Limit": PAGE_ITEMS,
        "FilterExpression": " OR ".join([*due, *any_asked]),
        "ExpressionAttributeValues": {
            ":none": text(""),
            ":addresses": text(cutoffs.addresses),
            ":voters": number(cutoffs.voters),
            ":forgotten": text(forgotten),
            **names,
        },
    }


def state_scan(table: str, cutoffs: Cutoffs, *, is_anybody_asked_for: bool) -> "ScanInputTypeDef":
    """A scan for bursts of earlier versions, and for secrets and network-days that have reached their end.

    If voters are to be forgotten, it returns all network-days. It names its attributes, because the worker's role must
    not read the secrets.
    """
    due = [
        "#part = :burst",
        "(begins_with(#name, :secrets) AND #name < :old_secrets)",
        "(begins_with(#name, :networks) AND #name < :old_networks)",
    ]
    everyone: Item = {":network": text(NETWORK_PART)} if is_anybody_asked_for else {}
    return {
        "TableName": table,
        "Limit": PAGE_ITEMS,
        "Select": "SPECIFIC_ATTRIBUTES",
        "ProjectionExpression": "#name, #part, receipts",
        "FilterExpression": " OR ".join([*due, *(["#part = :network"] if everyone else [])]),
        "ExpressionAttributeNames": {"#name": "name", "#part": "part"},
        "ExpressionAttributeValues": {
            ":burst": text(_BURST_PART),
            ":secrets": text(secret_name("")),
            ":old_secrets": text(secret_name(cutoffs.secrets)),
            ":networks": text(network_name("")),
            ":old_networks": text(network_name(cutoffs.secrets)),
            **everyone,
        },
    }
