"""The store on tables that have just been restored, which nobody else uses yet.

Each table is restored for itself, to within a second or so of the same moment. So a vote may be in one of them while
what counted it, in another, is not. And what has been decided since that moment must hold: what was taken down stays
down, who was forgotten is forgotten again, and money that was spent stays spent.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.dynamodb import writes
from service.store.dynamodb.items import (
    BALLOT_PREFIX,
    BALLOTS_PART,
    ballots_key,
    can_be_voted_on,
    comparison_key,
    count,
    has_standing,
    is_ballot,
    number,
    realm,
    text,
)
from service.store.dynamodb.lines import DAILY, add_to_day, add_to_line
from service.store.dynamodb.quota_items import VOTER_PART, voter_key
from service.store.dynamodb.recount import Tally
from service.store.dynamodb.retention import carry_out
from service.store.dynamodb.store import DynamoStore
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE
from service.store.dynamodb.tallies import lines_of
from service.store.retention import Cutoffs

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item, Value
    from service.store.dynamodb.writes import Write

# What is taken over as it is now: the secrets of days, so that tokens stay valid, what vendors have said of their
# models, and who has asked to be forgotten.
_TAKEN_OVER = {writes.SECRETS, writes.MODELS, writes.REQUESTS, writes.MARKS}
# Whoever held a lease, or was in the middle of a pass, does not know these tables.
_ENDED = {writes.LEASES, writes.PRUNE}
_COUNTERS = ("upvotes", "downvotes", "blind_votes")
_OF_A_SAYING = ("saying_id", "contributor", "services", "prompt_version", "snapshot", *_COUNTERS)


@dataclass(frozen=True, slots=True)
class Corrections:
    """How many sayings, voters, comparisons and lines of counts did not agree with the votes, ballots and calls.

    `lost` is the number of votes on sayings that are not stored. They count nowhere.
    """

    sayings: int
    voters: int
    comparisons: int
    lines: int
    lost: int


class _Marks:
    """The marks of voters who were forgotten. What they gave before that is found by looking at each vote and ballot.

    `found` has those who must be forgotten again, and when they were forgotten.
    """

    def __init__(self, items: "Iterable[Item]") -> None:
        self._forgotten = {item["part"]["S"]: float(item["forgotten_at"]["N"]) for item in items}
        self.found: dict[str, float] = {}

    def look_at(self, voter: str, given_at: "Value | None") -> None:
        """Look at a vote or ballot, whether it can be read or not. One without a time is taken for an old one."""
        since = self._forgotten.get(writes.mark_of(voter), 0.0)
        if (float(given_at["N"]) if given_at and "N" in given_at else 0.0) < since:
            self.found[voter] = since


class RestoredStore(DynamoStore):
    """Makes restored tables agree, with each other and with what holds today. Both methods can be repeated."""

    async def take_over(self, current: "RestoredStore") -> None:
        """Take over what has been decided since then, from the tables that are in use."""
        async for item in self._state_items():
            if _family(item) in _ENDED:
                await self._delete({"TableName": self._state, "Key": _key(item)})
        async for item in current._state_items():
            if _family(item) in _TAKEN_OVER:
                await self._set(self._state, _key(item), _attributes(item))
            elif _family(item) == writes.SPEND:
                before = await self._get(self._state, _key(item))
                await self._set(self._state, _key(item), _higher(before, item))
        for withdrawal in (await current.withdrawals()).sayings.values():
            await self.withdraw_saying(withdrawal)

    async def recount(self, *, now: float) -> Corrections:
        """Make all that counts agree with the votes, ballots and calls, and bring the lists of sayings up to date.

        Votes and ballots of voters who have been forgotten since are left to the next daily pass, which takes them
        back.
        """
        tally = Tally(Cutoffs.at(now, DEFAULT_RETENTION).tallies)
        marks = _Marks(await self._all_of(writes.MARKS))
        sayings = await self._sayings_by_id()
        lost = await self._count_votes(tally, sayings, marks)
        await self._count_ballots(tally, marks)
        async for call in self.all_calls():
            tally.add_call(call)
        await carry_out(partial(self.forget, voter, asked_at=since) for voter, since in marks.found.items())
        corrections = Corrections(
            sayings=await self._correct_sayings(tally, sayings),
            voters=await self._correct_voters(tally, now),
            comparisons=await self._correct_comparisons(tally),
            lines=await self._correct_lines(tally),
            lost=lost,
        )
        for simulated in (False, True):
            await self.rank_sayings(simulated=simulated)
        return corrections

    async def _sayings_by_id(self) -> "dict[str, Item]":
        names = {f"#n{place}": name for place, name in enumerate(_OF_A_SAYING)}
        pages = self._scan(
            {
                "TableName": self._sayings,
                "ProjectionExpression": ", ".join(names),
                "ExpressionAttributeNames": names,
                "ConsistentRead": True,
            }
        )
        # A withdrawn saying that is not stored has an item as well.
        return {item["saying_id"]["S"]: item async for page in pages for item in page if "contributor" in item}

    async def _count_votes(self, tally: Tally, sayings: "Mapping[str, Item]", marks: "_Marks") -> int:
        """Count all votes, and return how many of them have no saying."""
        lost = 0
        async for page in self._scan({"TableName": self._feedback, "ConsistentRead": True}):
            for item in page:
                marks.look_at(item["voter"]["S"], item.get("first_cast_at") or item.get("cast_at"))
                saying = sayings.get(item["saying_id"]["S"], {})
                vote = self._stored(item, saying)
                if vote is None:
                    lost += not saying
                    continue
                add = tally.add_vote if has_standing(item) else tally.add_old_vote
                add(vote, saying)
        return lost

    async def _count_ballots(self, tally: Tally, marks: "_Marks") -> None:
        async for page in self._scan({"TableName": self._comparisons, "ConsistentRead": True}):
            for item in filter(is_ballot, page):
                marks.look_at(item["part"]["S"].removeprefix(BALLOT_PREFIX), item.get("shown_at"))
            for ballot in await self._ballots_of(page):
                tally.add_ballot(ballot)

    async def _correct_sayings(self, tally: Tally, sayings: "Mapping[str, Item]") -> int:
        wrong = [
            partial(self._set, self._sayings, {"saying_id": item["saying_id"]}, _numbers(counted))
            for saying_id, item in sayings.items()
            if (counted := {name: tally.sayings[saying_id][name] for name in _COUNTERS}) != _counts(item, _COUNTERS)
        ]
        return len(await carry_out(wrong))

    async def _correct_voters(self, tally: Tally, now: float) -> int:
        """Correct how many votes of each voter count, except where that has expired."""
        kept: dict[str, Item] = {}
        async for item in self._state_items():
            if item["part"]["S"] == VOTER_PART:
                kept[item["name"]["S"].partition("#")[2]] = item
        wrong = []
        for voter in kept.keys() | tally.voters.keys():
            expires = int(tally.last_cast.get(voter, 0.0) + DEFAULT_RETENTION.voter_days * DAY_SECONDS)
            contributors = {*tally.voters[voter], *kept.get(voter, {})} - {"name", "part", EXPIRY_ATTRIBUTE}
            counted = {name: tally.voters[voter][name] for name in contributors}
            if counted != _counts(kept.get(voter, {}), contributors) and (voter in kept or expires > now):
                attributes = _numbers({**counted, EXPIRY_ATTRIBUTE: expires})
                wrong.append(partial(self._set, self._state, voter_key(voter), attributes))
        return len(await carry_out(wrong))

    async def _correct_comparisons(self, tally: Tally) -> int:
        kept: dict[str, int] = {}
        async for page in self._scan(
            {
                "TableName": self._comparisons,
                "FilterExpression": "#part = :ballots",
                "ExpressionAttributeNames": {"#part": "part"},
                "ExpressionAttributeValues": {":ballots": text(BALLOTS_PART)},
            }
        ):
            kept |= {item["comparison_id"]["S"]: count(item, "ballots") for item in page}
        wrong = [each for each in kept.keys() | tally.ballots.keys() if kept.get(each, 0) != tally.ballots[each]]
        return len(await carry_out(partial(self._correct_comparison, each, tally.ballots[each]) for each in wrong))

    async def _correct_comparison(self, comparison_id: str, ballots: int) -> None:
        """Correct the number of ballots, and whether the comparison is offered for more of them."""
        await self._set(self._comparisons, ballots_key(comparison_id), _numbers({"ballots": ballots}))
        key = comparison_key(comparison_id)
        comparison = self._comparison(await self._get(self._comparisons, key))
        if comparison is None or not can_be_voted_on(comparison):
            return
        if ballots < self._quotas.comparison_ballots:
            await self._set(self._comparisons, key, {"realm": realm(simulated=comparison.simulated)})
        else:
            await self._update(
                {"TableName": self._comparisons, "Key": key, "UpdateExpression": "REMOVE realm"}, repeatable=True
            )

    async def _correct_lines(self, tally: Tally) -> int:
        differences = list(tally.differences(lines_of(await self._items_of_lines())))
        corrections: list[Write] = [
            (add_to_day if part.partition("#")[0] in DAILY else add_to_line)(self._state, shard, part, steps)
            for (part, shard), steps in differences
        ]
        return len(await carry_out(partial(self._transact, [correction]) for correction in corrections))

    async def _state_items(self) -> "AsyncIterator[Item]":
        async for page in self._scan({"TableName": self._state, "ConsistentRead": True}):
            for item in page:
                yield item

    async def _set(self, table: str, key: "Item", attributes: "Mapping[str, Value]") -> None:
        """Set attributes of an item, which may have any names, whatever they were."""
        numbered = list(enumerate(attributes.items()))
        await self._update(
            {
                "TableName": table,
                "Key": key,
                "UpdateExpression": "SET " + ", ".join(f"#n{place} = :n{place}" for place, _ in numbered),
                "ExpressionAttributeNames": {f"#n{place}": name for place, (name, _) in numbered},
                "ExpressionAttributeValues": {f":n{place}": value for place, (_, value) in numbered},
            },
            repeatable=True,
        )


def _family(item: "Item") -> str:
    return item["name"]["S"].partition("#")[0]


def _key(item: "Item") -> "Item":
    return {"name": item["name"], "part": item["part"]}


def _attributes(item: "Item") -> "Item":
    return {name: value for name, value in item.items() if name not in ("name", "part")}


def _higher(one: "Item", other: "Item") -> "Item":
    """The higher number of each attribute of two items."""
    amounts = {name: max(count(one, name), count(other, name)) for name in _attributes(one | other)}
    return _numbers(amounts)


def _counts(item: "Item", names: Iterable[str]) -> dict[str, int]:
    return {name: count(item, name) for name in names}


def _numbers(values: Mapping[str, int]) -> "Item":
    return {name: number(value) for name, value in values.items()}
