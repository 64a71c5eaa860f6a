"""The items by which the quotas are kept: what has come from a network on one day, and what of a voter's counts.

| attribute of a network-day          | value                                                                        |
|-------------------------------------|------------------------------------------------------------------------------|
| counted                             | the votes that count                                                         |
| b#, k# or o#<contributor>           | those on one model: blind, named or open                                     |
| g#<contributor> and u#<contributor> | all verified blind votes on the model, and how many of them are upvotes      |
| receipts                            | a set with the blind votes that count: 16 bytes of the saying, and the voter |
| ballots                             | the ballots that count                                                       |
| is_aside                            | set once the votes of the network cannot be honest                           |

The names are short because a network-day should stay within a kilobyte, which is a write unit. The item of a voter has
the number of blind votes that count by contributor. Both kinds of items expire.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from service.domain import COLLECTION, Attribution, FeedbackType, NetworkDay, Standing
from service.limits import DAY_SECONDS, DEFAULT_RETENTION, Quotas
from service.store.base import Counts, StoredVote
from service.store.dynamodb.items import count, number, text
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE
from service.store.dynamodb.writes import FITS, addition, stays_on_its_side
from service.store.quotas import NetworkTally

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import DeleteItemInputTypeDef, UpdateItemInputTypeDef

    from service.store.dynamodb.items import Item, Value
    from service.store.dynamodb.writes import Write

NETWORK_PART = "network"
VOTER_PART = "voter"

_KINDS = {Attribution.BLIND: "b#", Attribution.NAMED: "k#", Attribution.OPEN: "o#"}
_GIVEN, _GIVEN_UPVOTES = "g#", "u#"
_ID_BYTES = 16

IS_NOT_ASIDE = "attribute_not_exists(is_aside)"


def network_name(name: str) -> str:
    """The name of an item in the table. That of a day alone sorts before those of the networks on that day."""
    return f"network#{name}"


def network_key(name: str) -> "Item":
    return {"name": text(network_name(name)), "part": text(NETWORK_PART)}


def is_network_day(item: "Item") -> bool:
    return item["part"]["S"] == NETWORK_PART


def voter_key(voter: str) -> "Item":
    return {"name": text(f"voter#{voter}"), "part": text(VOTER_PART)}


def to_network_tally(item: "Item", share: int) -> NetworkTally:
    """What is kept of a network-day. An empty item is one from which nothing has come."""
    given = {
        name: Counts(count(item, _GIVEN + name), count(item, _GIVEN_UPVOTES + name)) for name in _after(item, _GIVEN)
    }
    counted = {
        (attribution, name): count(item, prefix + name)
        for attribution, prefix in _KINDS.items()
        for name in _after(item, prefix)
    }
    return NetworkTally(share, given, counted, count(item, "ballots"), "is_aside" in item)


def receipts(item: "Item") -> list[tuple[str, str]]:
    """The sayings and voters of the blind votes of a network-day that count, unless they were set aside since."""
    kept = item["receipts"]["BS"] if "receipts" in item else []
    return [(bytes(each[:_ID_BYTES]).hex(), bytes(each[_ID_BYTES:]).decode()) for each in kept]


def _to_set(votes: Iterable[tuple[str, str]]) -> "Value":
    return {"BS": [bytes.fromhex(saying_id) + voter.encode() for saying_id, voter in votes]}


def _after(item: "Item", prefix: str) -> Iterator[str]:
    return (name.removeprefix(prefix) for name in item if name.startswith(prefix))


def add_vote_to_network(
    table: str, network: NetworkDay, vote: StoredVote, quotas: Quotas, *, sets_aside: bool, keeps_receipt: bool
) -> "Write":
    """Add a verified vote on a model to a network-day, and set that aside if the vote makes it implausible.

    A vote that counts is added on the condition that there is still room for it.
    """
    rooms: dict[str, int] = {}
    if vote.standing is Standing.COUNTED and vote.attribution is not None:
        rooms["counted"] = quotas.address_votes * network.share
        rooms[_KINDS[vote.attribution] + vote.contributor] = quotas.address_model_votes * network.share
    given: dict[str, int] = {}
    if vote.attribution is Attribution.BLIND:
        given[_GIVEN + vote.contributor] = 1
        if vote.first is FeedbackType.POSITIVE:
            given[_GIVEN_UPVOTES + vote.contributor] = 1
    receipts = [(vote.saying_id, vote.voter)] if keeps_receipt else []
    return _add_to_network(table, network, given, rooms, receipts, at=vote.first_cast_at, sets_aside=sets_aside)


def add_ballot_to_network(table: str, network: NetworkDay, quotas: Quotas, *, at: float) -> "Write":
    """Add a ballot that counts to a network-day, on the condition that there is still room for it."""
    return _add_to_network(table, network, {}, {"ballots": quotas.address_votes * network.share}, at=at)


def _add_to_network(
    table: str,
    network: NetworkDay,
    counts: Mapping[str, int],
    rooms: Mapping[str, int],
    receipts: Sequence[tuple[str, str]] = (),
    *,
    at: float,
    sets_aside: bool = False,
) -> "Write":
    """Add counts, and one to each of what has room for so many, to a network-day."""
    expression, names, values = addition({**dict.fromkeys(rooms, 1), **counts})
    if receipts:
        expression += ", receipts :receipts"
        values[":receipts"] = _to_set(receipts)
    expression += " SET #expiry = :expiry"
    names["#expiry"], values[":expiry"] = EXPIRY_ATTRIBUTE, number(_expiry(at, DEFAULT_RETENTION.secret_days))
    if sets_aside:
        expression += ", is_aside = :yes"
        values[":yes"] = {"BOOL": True}
    update: Write = {
        "Update": {
            "TableName": table,
            "Key": network_key(network.name),
            "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }
    if rooms:
        values |= {f":r{index}": number(most - 1) for index, most in enumerate(rooms.values())}
        update["Update"]["ConditionExpression"] = " AND ".join(
            [IS_NOT_ASIDE, *(FITS.format(n=index) for index in range(len(rooms)))]
        )
    return update


def remove_receipts(table: str, item: "Item", votes: Iterable[tuple[str, str]]) -> "UpdateItemInputTypeDef":
    """Remove the receipts of some votes from a network-day."""
    return {
        "TableName": table,
        "Key": {"name": item["name"], "part": item["part"]},
        "UpdateExpression": "DELETE receipts :receipts",
        "ConditionExpression": "attribute_exists(receipts)",
        "ExpressionAttributeValues": {":receipts": _to_set(votes)},
    }


def add_to_voter(table: str, vote: StoredVote, before: int, step: int, quotas: Quotas) -> "Write":
    """Add a step of one to the voter's counted blind votes for the contributor.

    The condition keeps the quota, and a first or last vote the only one. The collection has no quota.
    """
    is_on_its_side, values = stays_on_its_side("#n0", before, step)
    expression, names, added = addition({vote.contributor: step})
    conditions = [is_on_its_side]
    if step > 0 and vote.contributor != COLLECTION:
        conditions.append(FITS.format(n=0))
        values[":r0"] = number(quotas.voter_model_votes - 1)
    kept = _expiry(vote.first_cast_at, DEFAULT_RETENTION.voter_days)
    return {
        "Update": {
            "TableName": table,
            "Key": voter_key(vote.voter),
            "ConditionExpression": " AND ".join(conditions),
            "UpdateExpression": f"{expression} SET #expiry = :expiry",
            "ExpressionAttributeNames": {**names, "#expiry": EXPIRY_ATTRIBUTE},
            "ExpressionAttributeValues": {**added, **values, ":expiry": number(kept)},
        }
    }


def delete_voter(table: str, item: "Item") -> "DeleteItemInputTypeDef":
    """Delete the item of a voter on the condition that nothing of the voter counts."""
    contributors = [name for name in item if name not in ("name", "part", EXPIRY_ATTRIBUTE)]
    names = {f"#n{index}": contributor for index, contributor in enumerate(contributors)}
    delete: DeleteItemInputTypeDef = {"TableName": table, "Key": {"name": item["name"], "part": item["part"]}}
    if names:
        delete["ConditionExpression"] = " AND ".join(f"{name} = :zero" for name in names)
        delete["ExpressionAttributeNames"] = names
        delete["ExpressionAttributeValues"] = {":zero": number(0)}
    return delete


def _expiry(moment: float, days: int) -> int:
    return int(moment + days * DAY_SECONDS)
