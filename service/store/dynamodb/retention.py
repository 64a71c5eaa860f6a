"""What DynamoDB forgets: voters who ask for it, and what has reached its end.

No index leads from a voter to their votes, because a vote has no write unit to spare for one. A request to be forgotten
is therefore stored, and a daily pass over the tables finds the votes of all voters who asked, and all that is old.

The pass scans one table after the other and stores its place after every page, so it may be interrupted anywhere. What
it looks for depends only on when it began. A pass that goes on later must not use later cutoffs, because bursts are
removed at its end, and by then it must have seen every vote of theirs.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from service.domain import Ballot, feedback_id
from service.errors import ConditionFailed
from service.limits import Retention
from service.store.base import CLOCK_LEEWAY_SECONDS
from service.store.dynamodb import writes
from service.store.dynamodb.comparisons import DynamoComparisons
from service.store.dynamodb.items import (
    BALLOT_PREFIX,
    ballot_key,
    first_casting,
    is_ballot,
    number,
    text,
    to_ballot,
    to_stored_vote,
)
from service.store.dynamodb.prune_scans import ballots_scan, bursts_scan, votes_scan
from service.store.dynamodb.takedowns import DynamoTakedowns
from service.store.dynamodb.votes import DynamoVotes
from service.store.dynamodb.writes import replace_vote
from service.store.retention import Cutoffs, Pruned, Pseudonyms

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import ScanInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

T = TypeVar("T")

# How many changes are under way at the same time.
_AT_ONCE = 5
# How many requests to be forgotten a pass takes on, in a few megabytes. The others wait for the next pass.
_MOST_REQUESTS = 100_000
_PLACE_KEY: "Item" = {"name": text("prune"), "part": text("prune")}


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
    cutoffs: Cutoffs
    names: Pseudonyms


class DynamoRetention(DynamoVotes, DynamoComparisons, DynamoTakedowns):
    """The part of the Store protocol that is about forgetting."""

    async def forget(self, voter: str, *, asked_at: float) -> bool:
        await self._update(writes.ask_to_forget(self._state, voter, asked_at=asked_at), repeatable=True)
        return False

    async def prune(self, keep: Retention, *, now: float) -> AsyncGenerator[Pruned, None]:
        place = await self._place() or _Place(now)
        # A newer request is left to the next pass, because clocks differ and a vote of its voter may be under way.
        asked = await self._requests(until=place.started_at - CLOCK_LEEWAY_SECONDS)
        wanted = _Pass(asked, Cutoffs.at(place.started_at, keep), Pseudonyms())
        steps = (
            self._prune_votes,
            self._prune_ballots,
            self._prune_bursts,
            self._forget_reporters,
            self._end_requests,
        )
        while place.step < len(steps):
            pruned, key = await steps[place.step](wanted, place.key)
            place = _Place(place.started_at, place.step if key else place.step + 1, key)
            await self._put_place(place)
            yield pruned
        await self._delete({"TableName": self._state, "Key": _PLACE_KEY})

    async def _prune_votes(self, wanted: _Pass, after: "Item | None") -> "tuple[Pruned, Item | None]":
        items, last = await self._page(votes_scan(self._feedback, wanted.asked, wanted.cutoffs), after)
        settled = await self._settle_old(items, wanted.cutoffs)
        return await _sum(partial(self._prune_vote, item, wanted, settled) for item in items), last

    async def _prune_ballots(self, wanted: _Pass, after: "Item | None") -> "tuple[Pruned, Item | None]":
        items, last = await self._page(ballots_scan(self._comparisons, wanted.asked, wanted.cutoffs), after)
        settled = await self._settle_old(items, wanted.cutoffs)
        ballots = filter(is_ballot, items)
        return await _sum(partial(self._prune_ballot, item, wanted, settled) for item in ballots), last

    async def _prune_bursts(self, wanted: _Pass, after: "Item | None") -> "tuple[Pruned, Item | None]":
        """Remove old bursts. No vote or ballot is in one of them any more."""
        items, last = await self._page(bursts_scan(self._state, wanted.cutoffs), after)
        return await _sum(partial(self._prune_burst, item) for item in items), last

    async def _forget_reporters(self, wanted: _Pass, _: "Item | None") -> "tuple[Pruned, Item | None]":
        """Keep the voters' reports, which say something of the sayings, under names that lead to nobody."""
        for item in await self._query_all(self._all_named(writes.REPORTS)):
            saying_id, reporters = item["part"]["S"], set(item["reporters"]["SS"])
            for reporter in reporters.intersection(feedback_id(voter, saying_id) for voter in wanted.asked):
                other = secrets.token_hex(16)
                # The new name comes first: a process that dies in between leaves one name too many, and no report lost.
                await self._update(writes.add_reporter(self._state, saying_id, other), repeatable=True)
                await self._update(writes.remove_reporter(self._state, saying_id, reporter), repeatable=True)
        return Pruned(), None

    async def _end_requests(self, wanted: _Pass, _: "Item | None") -> "tuple[Pruned, Item | None]":
        return await _sum(partial(self._end_request, voter, at) for voter, at in wanted.asked.items()), None

    async def _settle_old(self, items: "Iterable[Item]", cutoffs: Cutoffs) -> dict[str, str]:
        """Settle the old bursts of these votes or ballots. Returns what replaces each of them."""
        names = {item["burst"]["S"] for item in items if "burst" in item}
        old = [name for name in names if cutoffs.ends_burst(name)]
        return dict(zip(old, await _each(partial(self._settle_for_good, name) for name in old), strict=True))

    async def _prune_vote(self, item: "Item", wanted: _Pass, settled: Mapping[str, str]) -> Pruned:
        if item["voter"]["S"] in wanted.asked:
            return await self._remove_vote(item)
        if to_stored_vote(item, "") is None:
            return Pruned()
        voter, (moment, burst) = item["voter"]["S"], first_casting(item)
        new = _new(settled, burst)
        if wanted.cutoffs.ends_voter(voter, moment):
            renamed: Item = {**item, **new, "voter": text(wanted.names.of(voter))}
            move = [replace_vote(self._feedback, item, None), writes.put(self._feedback, renamed)]
            return await self._renamed(move, Pruned(addresses=len(new), voters=1))
        return await self._stripped(self._feedback, _key_of_vote(item), burst, new)

    async def _remove_vote(self, item: "Item") -> Pruned:
        """Take a vote back and delete it. A vote that cannot be read, or whose saying is gone, counts nowhere."""
        is_readable = to_stored_vote(item, "") is not None
        if not is_readable or await self.withdraw_vote(item["saying_id"]["S"], item["voter"]["S"]) is None:
            await self._delete({"TableName": self._feedback, "Key": _key_of_vote(item)})
        return Pruned(taken_back=1)

    async def _prune_ballot(self, item: "Item", wanted: _Pass, settled: Mapping[str, str]) -> Pruned:
        comparison_id, voter = item["comparison_id"]["S"], item["part"]["S"].removeprefix(BALLOT_PREFIX)
        if voter in wanted.asked:
            await self._remove_ballot(comparison_id, voter)
            return Pruned(taken_back=1)
        ballot = self._damage.checked("ballot", to_ballot(item))
        if ballot is None:
            return Pruned()
        if ballot.winner is None:
            return await self._remove_unvoted(ballot) if ballot.shown_at < wanted.cutoffs.unvoted else Pruned()
        new = _new(settled, ballot.burst)
        if wanted.cutoffs.ends_voter(voter, ballot.shown_at):
            renamed = {**item, **new, **ballot_key(comparison_id, wanted.names.of(voter))}
            delete = writes.delete_ballot(self._comparisons, ballot, ballot.winner)
            move = [delete, writes.put(self._comparisons, renamed)]
            return await self._renamed(move, Pruned(addresses=len(new), voters=1))
        return await self._stripped(self._comparisons, ballot_key(comparison_id, voter), ballot.burst, new)

    async def _remove_unvoted(self, ballot: Ballot) -> Pruned:
        with suppress(ConditionFailed):
            await self._delete(writes.delete_uncast(self._comparisons, ballot.comparison_id, ballot.voter))
            return Pruned(unvoted=1)
        return Pruned()

    async def _renamed(self, move: "list[Write]", pruned: Pruned) -> Pruned:
        """Move an item to the key of its pseudonym. One that has changed meanwhile is left to the next pass."""
        with suppress(ConditionFailed):
            await self._transact(move)
            return pruned
        return Pruned()

    async def _stripped(self, table: str, key: "Item", burst: str, new: "Item") -> Pruned:
        """Replace the burst of an item, if there is something to replace it with."""
        if not new:
            return Pruned()
        update = writes.replace_burst(table, key, before=burst, after=new["burst"])
        return Pruned() if await self._update(update, repeatable=True) is None else Pruned(addresses=1)

    async def _prune_burst(self, item: "Item") -> Pruned:
        await self._delete({"TableName": self._state, "Key": {"name": item["name"], "part": item["part"]}})
        return Pruned(bursts=1)

    async def _end_request(self, voter: str, asked_at: float) -> Pruned:
        with suppress(ConditionFailed):  # the voter has asked again, so the next pass looks for them
            await self._delete(writes.delete_request(self._state, voter, asked_at=asked_at))
        return Pruned()

    async def _page(self, scan: "ScanInputTypeDef", key: "Item | None") -> "tuple[list[Item], Item | None]":
        """The items of the page after `key` that the filter lets through, and the key of its last item, if not all."""
        page: ScanInputTypeDef = {**scan, "ExclusiveStartKey": key} if key else scan
        response = await self._send(lambda: self._client.scan(**page), repeatable=True)
        return response["Items"], response.get("LastEvaluatedKey")

    async def _place(self) -> _Place | None:
        item = await self._get(self._state, _PLACE_KEY)
        if not item:
            return None
        key = json.loads(item["key"]["S"])
        return _Place(float(item["started_at"]["N"]), int(item["step"]["N"]), key)

    async def _put_place(self, place: _Place) -> None:
        await self._update(
            {
                "TableName": self._state,
                "Key": _PLACE_KEY,
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


def _key_of_vote(item: "Item") -> "Item":
    return {"saying_id": item["saying_id"], "voter": item["voter"]}


def _new(settled: Mapping[str, str], burst: str) -> "Item":
    """The attributes of a vote or ballot that change with its burst."""
    return {"burst": text(settled[burst])} if burst in settled else {}


async def _each(works: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results of the works, of which a few run at the same time."""
    results: list[T] = []
    works = list(works)
    for start in range(0, len(works), _AT_ONCE):
        results += await asyncio.gather(*(work() for work in works[start : start + _AT_ONCE]))
    return results


async def _sum(works: Iterable[Callable[[], Awaitable[Pruned]]]) -> Pruned:
    return sum(await _each(works), Pruned())
