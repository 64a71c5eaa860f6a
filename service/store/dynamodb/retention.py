"""What DynamoDB forgets: voters who ask for it, and what has reached its end.

No index leads from a voter to their votes, because a vote has no write unit to spare for one. A request to be forgotten
is therefore stored, and a daily pass over the tables finds the votes of all voters who asked, and all that is old.

The pass scans one table after the other and stores its place after every page, so it may be interrupted anywhere. What
it looks for depends only on when it began.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from service.domain import Ballot, day_of, feedback_id
from service.errors import ConditionFailed
from service.limits import Retention
from service.store.base import CLOCK_LEEWAY_SECONDS
from service.store.dynamodb import writes
from service.store.dynamodb.ballots import DynamoBallots
from service.store.dynamodb.items import (
    BALLOT_PREFIX,
    ballot_key,
    is_ballot,
    network_of,
    number,
    text,
    to_ballot,
    to_stored_vote,
    vote_key,
)
from service.store.dynamodb.prune_scans import ballots_scan, state_scan, votes_scan
from service.store.dynamodb.quota_items import (
    delete_voter,
    is_network_day,
    network_name,
    receipts,
    remove_receipts,
    voter_key,
)
from service.store.dynamodb.takedowns import DynamoTakedowns
from service.store.dynamodb.tallies import Tallies
from service.store.dynamodb.vote_writes import delete_ballot, delete_uncast, delete_vote, forget_network, put
from service.store.dynamodb.votes import DynamoVotes
from service.store.retention import Cutoffs, Pruned, Pseudonyms

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import DeleteItemInputTypeDef, ScanInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

T = TypeVar("T")

# How many changes are under way at the same time.
_AT_ONCE = 5
# How many requests to be forgotten a pass takes on, in a few megabytes. The others wait for the next pass.
_MOST_REQUESTS = 100_000


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a pass is: its steps before `step` are done, and in this one the items up to `key`."""

    started_at: float
    step: int = 0
    key: "Item | None" = None


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a pass looks for: voters who asked, with the times at which they asked, and what has reached its end."""

    asked: Mapping[str, float]
    started_at: float
    cutoffs: Cutoffs
    names: Pseudonyms


class DynamoRetention(DynamoVotes, DynamoBallots, DynamoTakedowns, Tallies):
    """The part of the Store protocol that is about forgetting."""

    async def forget(self, voter: str, *, asked_at: float) -> bool:
        await self._update(writes.ask_to_forget(self._state, voter, asked_at=asked_at), repeatable=True)
        return False

    async def prune(self, keep: Retention, *, now: float) -> AsyncGenerator[Pruned, None]:
        place = await self._place() or _Place(now)
        # A newer request is left to the next pass, because clocks differ and a vote of its voter may be under way.
        asked = await self._requests(until=place.started_at - CLOCK_LEEWAY_SECONDS)
        wanted = _Pass(asked, place.started_at, Cutoffs.at(place.started_at, keep), Pseudonyms())
        steps = (
            self._prune_votes,
            self._prune_ballots,
            self._prune_state,
            self._fold_lines,
            self._forget_reporters,
            self._end_requests,
        )
        while place.step < len(steps):
            pruned, key = await steps[place.step](wanted, place.key)
            place = _Place(place.started_at, place.step if key else place.step + 1, key)
            await self._put_place(place)
            yield pruned
        await self._delete({"TableName": self._state, "Key": writes.PLACE_KEY})

    async def _prune_votes(self, wanted: _Pass, after: "Item | None") -> "tuple[Pruned, Item | None]":
        items, last = await self._page(votes_scan(self._feedback, wanted.asked, wanted.cutoffs), after)
        return await _sum(partial(self._prune_vote, item, wanted) for item in items), last

    async def _prune_ballots(self, wanted: _Pass, after: "Item | None") -> "tuple[Pruned, Item | None]":
        items, last = await self._page(ballots_scan(self._comparisons, wanted.asked, wanted.cutoffs), after)
        return await _sum(partial(self._prune_ballot, item, wanted) for item in filter(is_ballot, items)), last

    async def _prune_state(self, wanted: _Pass, after: "Item | None") -> "tuple[Pruned, Item | None]":
        """Remove secrets, network-days and what earlier versions knew of addresses, and forget voters in the others."""
        scan = state_scan(self._state, wanted.cutoffs, is_anybody_asked_for=bool(wanted.asked))
        items, last = await self._page(scan, after)
        return await _sum(partial(self._prune_item, item, wanted) for item in items), last

    async def _fold_lines(self, wanted: _Pass, _: "Item | None") -> "tuple[Pruned, Item | None]":
        await self._fold(today=day_of(wanted.started_at), tallies=wanted.cutoffs.tallies)
        return Pruned(), None

    async def _forget_reporters(self, wanted: _Pass, _: "Item | None") -> "tuple[Pruned, Item | None]":
        """Keep the voters' reports, which say something of the sayings, under names that lead to nobody."""
        for item in await self._all_of(writes.REPORTS):
            saying_id, reporters = item["part"]["S"], set(item["reporters"]["SS"])
            for reporter in reporters.intersection(feedback_id(voter, saying_id) for voter in wanted.asked):
                other = secrets.token_hex(16)
                # The new name comes first: a process that dies in between leaves one name too many, and no report lost.
                await self._update(writes.add_reporter(self._state, saying_id, other), repeatable=True)
                await self._update(writes.remove_reporter(self._state, saying_id, reporter), repeatable=True)
        return Pruned(), None

    async def _end_requests(self, wanted: _Pass, _: "Item | None") -> "tuple[Pruned, Item | None]":
        return await _sum(partial(self._end_request, voter, at, wanted) for voter, at in wanted.asked.items()), None

    async def _prune_vote(self, item: "Item", wanted: _Pass) -> Pruned:
        saying_id, voter = item["saying_id"]["S"], item["voter"]["S"]
        if voter in wanted.asked:
            await self._remove_vote(saying_id, voter)
            return Pruned(taken_back=1)
        vote = to_stored_vote(item, "")
        if vote is None:
            return Pruned()
        loses_network = wanted.cutoffs.ends_network(network_of(item))
        if wanted.cutoffs.ends_voter(voter, vote.first_cast_at):
            renamed: Item = {**_without_network(item, loses_network), "voter": text(wanted.names.of(voter))}
            move = [delete_vote(self._feedback, item), put(self._feedback, renamed)]
            return await self._renamed(move, Pruned(addresses=int(loses_network), voters=1))
        return await self._forget_network(self._feedback, vote_key(saying_id, voter)) if loses_network else Pruned()

    async def _prune_ballot(self, item: "Item", wanted: _Pass) -> Pruned:
        comparison_id, voter = item["comparison_id"]["S"], item["part"]["S"].removeprefix(BALLOT_PREFIX)
        if voter in wanted.asked:
            await self._remove_ballot(comparison_id, voter)
            return Pruned(taken_back=1)
        ballot = self._damage.checked("ballot", to_ballot(item))
        if ballot is None:
            return Pruned()
        if ballot.winner is None:
            return await self._remove_unvoted(ballot) if ballot.shown_at < wanted.cutoffs.unvoted else Pruned()
        loses_network = wanted.cutoffs.ends_network(network_of(item))
        if wanted.cutoffs.ends_voter(voter, ballot.shown_at):
            renamed = {**_without_network(item, loses_network), **ballot_key(comparison_id, wanted.names.of(voter))}
            move = [delete_ballot(self._comparisons, ballot), put(self._comparisons, renamed)]
            return await self._renamed(move, Pruned(addresses=int(loses_network), voters=1))
        key = ballot_key(comparison_id, voter)
        return await self._forget_network(self._comparisons, key) if loses_network else Pruned()

    async def _prune_item(self, item: "Item", wanted: _Pass) -> Pruned:
        """Remove what has reached its end, or from a network-day the receipts of the voters who asked."""
        if not is_network_day(item) or item["name"]["S"] < network_name(wanted.cutoffs.secrets):
            await self._delete({"TableName": self._state, "Key": {"name": item["name"], "part": item["part"]}})
        elif asked := [(saying_id, voter) for saying_id, voter in receipts(item) if voter in wanted.asked]:
            await self._update(remove_receipts(self._state, item, asked), repeatable=True)
        return Pruned()

    async def _remove_unvoted(self, ballot: Ballot) -> Pruned:
        with suppress(ConditionFailed):
            delete = delete_uncast(self._comparisons, ballot.comparison_id, ballot.voter)["Delete"]
            await self._delete(cast("DeleteItemInputTypeDef", delete))
            return Pruned(unvoted=1)
        return Pruned()

    async def _renamed(self, move: "list[Write]", pruned: Pruned) -> Pruned:
        """Move an item to the key of its pseudonym. One that has changed meanwhile is left to the next pass."""
        with suppress(ConditionFailed):
            await self._transact(move)
            return pruned
        return Pruned()

    async def _forget_network(self, table: str, key: "Item") -> Pruned:
        update = forget_network(table, key)
        return Pruned() if await self._update(update, repeatable=True) is None else Pruned(addresses=1)

    async def _end_request(self, voter: str, asked_at: float, wanted: _Pass) -> Pruned:
        await self._update(writes.note_forgotten(self._state, voter, at=wanted.started_at), repeatable=True)
        of_voter = await self._get(self._state, voter_key(voter))
        if of_voter:
            with suppress(ConditionFailed):  # the voter has votes again
                await self._delete(delete_voter(self._state, of_voter))
        with suppress(ConditionFailed):  # the voter has asked again, so the next pass looks for them
            await self._delete(writes.delete_request(self._state, voter, asked_at=asked_at))
        return Pruned()

    async def _page(self, scan: "ScanInputTypeDef", key: "Item | None") -> "tuple[list[Item], Item | None]":
        """The items of the page after `key` that the filter lets through, and the key of its last item, if not all."""
        page: ScanInputTypeDef = {**scan, "ExclusiveStartKey": key} if key else scan
        response = await self._send(lambda: self._client.scan(**page), repeatable=True)
        return response["Items"], response.get("LastEvaluatedKey")

    async def _place(self) -> _Place | None:
        item = await self._get(self._state, writes.PLACE_KEY)
        if not item:
            return None
        key = json.loads(item["key"]["S"])
        return _Place(float(item["started_at"]["N"]), int(item["step"]["N"]), key)

    async def _put_place(self, place: _Place) -> None:
        await self._update(
            {
                "TableName": self._state,
                "Key": writes.PLACE_KEY,
                "UpdateExpression": "SET started_at = :started, #step = :step, #key = :key",
                "ExpressionAttributeNames": {"#step": "step", "#key": "key"},
                "ExpressionAttributeValues": {
                    ":started": number(place.started_at),
                    ":step": number(place.step),
                    ":key": text(json.dumps(place.key)),
                },
            },
            repeatable=True,
        )

    async def _requests(self, *, until: float) -> dict[str, float]:
        """The voters who asked by then to be forgotten, and when they did."""
        asked: dict[str, float] = {}
        async for page in self._query_pages(self._all_named(writes.REQUESTS)):
            asked |= {item["part"]["S"]: float(item["asked_at"]["N"]) for item in page}
            if len(asked) >= _MOST_REQUESTS:
                break
        return {voter: at for voter, at in asked.items() if at <= until}


def _without_network(item: "Item", loses_network: bool) -> "Item":
    names = ("network", "burst") if loses_network else ()
    return {name: value for name, value in item.items() if name not in names}


async def carry_out(works: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results of the works, of which a few run at the same time."""
    results: list[T] = []
    works = list(works)
    for start in range(0, len(works), _AT_ONCE):
        results += await asyncio.gather(*(work() for work in works[start : start + _AT_ONCE]))
    return results


async def _sum(works: Iterable[Callable[[], Awaitable[Pruned]]]) -> Pruned:
    return sum(await carry_out(works), Pruned())
