"""What store/base.py promises to forget, on every backend: voters who ask for it, and what has reached its end."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from service.cli.rows import Export, rows
from service.domain import Ballot, Report, ReportReason, ReportStatus, Standing, VoteResult, VoteStatus, feedback_id
from service.limits import DAY_SECONDS, DEFAULT_RETENTION, Quotas
from service.store.base import Counts, HourTally, Store, StoredVote
from service.store.groups import voter_group
from service.store.retention import Pruned
from tests.store.builders import (
    BLIND,
    CAST_AT,
    DAY,
    MODEL,
    NAMED,
    NEGATIVE,
    POSITIVE,
    ballot,
    collected,
    comparison,
    effect,
    generated,
    network,
    shown,
    vote,
)
from tests.store.conftest import OpenStore
from tests.store.counting import NOTHING, Total, outcomes, outcomes_of, totals, totals_of, without

SOON, LATER = CAST_AT + 3_600, CAST_AT + 2 * 3_600
A_MONTH, A_YEAR = CAST_AT + 31 * DAY_SECONDS, CAST_AT + 366 * DAY_SECONDS
STREET = [network("street")]


async def prune(store: Store, now: float) -> Pruned:
    """A whole pass, and what it has forgotten."""
    return sum([part async for part in store.prune(DEFAULT_RETENTION, now=now)], Pruned())


async def forget(store: Store, voter: str) -> None:
    """Forget a voter to the end, be it at once or by a pass."""
    await store.forget(voter, asked_at=SOON)
    await prune(store, LATER)


async def votes_of(store: Store) -> dict[str, StoredVote]:
    return {stored.voter: stored async for stored in store.all_votes()}


async def ballots_of(store: Store) -> list[Ballot]:
    return [stored.ballot async for stored in store.all_ballots()]


async def exported(store: Store) -> str:
    return str([row for what in Export async for row in rows(store, what)])


async def counted(store: Store) -> tuple[object, ...]:
    """Everything that votes and ballots are counted in, without what has gone back to nothing."""
    found = await store.aggregates(since_hour="")
    sayings = {stored.saying.saying_id: (stored.upvotes, stored.downvotes) async for stored in store.all_sayings()}
    lines = without(NOTHING, found.services), without(HourTally(), found.hours)
    return totals_of(found), outcomes_of(found), *lines, sayings


class TestForgetting:
    async def test_a_voter_is_taken_back_from_every_count(self, store: Store) -> None:
        sayings, compared = [generated("one"), collected("two"), generated("three"), generated("four")], comparison()
        await store.put_sayings(sayings)
        await store.put_comparison(compared, shown(compared, "bob"))
        await store.vote(vote(sayings[0], "bob", networks=STREET))
        await store.cast_ballot(compared.comparison_id, "bob", "B", at=CAST_AT, networks=STREET)
        without_ann = await counted(store)
        await store.show_comparison(shown(compared, "ann"))
        for saying, attribution in zip(sayings, (None, BLIND, BLIND, NAMED), strict=True):
            await store.vote(vote(saying, "ann", NEGATIVE, attribution=attribution, networks=STREET))
        await store.vote(vote(sayings[1], "ann", POSITIVE))
        await store.withdraw_vote(sayings[2].saying_id, "ann")
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=STREET)

        await forget(store, "ann")

        assert await counted(store) == without_ann
        assert set(await votes_of(store)) == {"bob"}
        assert [found.voter for found in await ballots_of(store)] == ["bob"]

    async def test_a_saying_stays_counted_while_another_vote_on_it_counts(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter))

        await forget(store, "ann")

        assert await totals(store) == {MODEL: Total(blind=Counts(1, 1), voters=1, sayings=1)}

    async def test_what_is_set_aside_is_taken_back_from_there(self, open_store: OpenStore) -> None:
        store, saying = await open_store(Quotas(address_votes=1)), generated("a saying")
        await store.put_sayings([saying])
        for voter in ("bob", "ann"):
            await store.vote(vote(saying, voter, networks=STREET))

        await forget(store, "ann")

        assert await totals(store) == {MODEL: Total(blind=Counts(1, 1), voters=1, sayings=1)}

    async def test_a_ballot_that_is_taken_back_makes_room_on_the_comparison(self, open_store: OpenStore) -> None:
        store, compared = await open_store(Quotas(comparison_ballots=1)), comparison()
        await store.put_comparison(compared, shown(compared, "ann"))
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)

        await forget(store, "ann")
        await store.show_comparison(shown(compared, "bob"))
        cast = effect(await store.cast_ballot(compared.comparison_id, "bob", "B", at=CAST_AT))

        assert cast is not None
        assert (cast.ballots, cast.ballot.standing) == (1, Standing.COUNTED)

    async def test_nothing_leads_to_the_voter_any_more(self, store: Store) -> None:
        saying, compared, uncast = generated("a saying"), comparison(), comparison("uncast")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "ann", networks=STREET))
        await store.vote(vote(saying, "bob"))
        without_ann = [row["voter"] async for row in rows(store, Export.VOTES)]
        for each in (compared, uncast):
            await store.put_comparison(each, shown(each, "ann"))
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)

        await forget(store, "ann")

        kept = await exported(store)
        assert [name for name in without_ann if name in kept] == [
            row["voter"] async for row in rows(store, Export.VOTES)
        ]
        assert await store.get_comparison(uncast.comparison_id, "ann") == (uncast, None)
        assert await store.withdraw_vote(saying.saying_id, "ann") == VoteResult(VoteStatus.UNCHANGED, 1, 0)

    async def test_a_report_stays_and_leads_to_nobody(self, store: Store) -> None:
        saying = generated("one")
        await store.put_sayings([saying])
        reporter = feedback_id("ann", saying.saying_id)
        report = Report(saying.saying_id, reporter, "a network", ReportReason.WRONG, CAST_AT)
        await store.report_saying(report)

        await forget(store, "ann")

        [reported] = await store.reported_sayings()
        anew = await store.report_saying(replace(report, network="another network"))
        assert (reported.reasons, reported.networks) == ({ReportReason.WRONG: 1}, 1)
        assert anew.status is ReportStatus.RECORDED

    @pytest.mark.parametrize("voter", ["nobody", "x" * 64])
    async def test_an_unknown_voter_is_forgotten_in_vain(self, store: Store, voter: str) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "bob"))
        before = await counted(store)

        await forget(store, voter)

        assert await counted(store) == before

    async def test_asking_again_and_at_once_does_no_harm(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter))

        await asyncio.gather(*(store.forget("ann", asked_at=SOON) for _ in range(3)))
        await asyncio.gather(prune(store, LATER), prune(store, LATER))
        await forget(store, "ann")

        assert await totals(store) == {MODEL: Total(blind=Counts(1, 1), voters=1, sayings=1)}

    async def test_who_was_forgotten_may_vote_anew(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "ann"))
        await forget(store, "ann")

        again = effect(await store.vote(vote(saying, "ann", NEGATIVE)))
        await prune(store, LATER)

        assert again == VoteResult(VoteStatus.RECORDED, 0, 1, Standing.COUNTED)
        assert await totals(store) == {MODEL: Total(blind=Counts(1, 0), voters=1, sayings=1)}

    async def test_a_pass_that_is_cut_short_is_finished_by_the_next(self, store: Store) -> None:
        sayings, compared = [generated(f"saying {n}") for n in range(3)], comparison()
        await store.put_sayings(sayings)
        await store.put_comparison(compared, shown(compared, "ann"))
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)
        for saying in sayings:
            await store.vote(vote(saying, "ann", networks=STREET))
        await store.forget("ann", asked_at=SOON)

        async with aclosing(store.prune(DEFAULT_RETENTION, now=LATER)) as parts:
            await anext(parts, None)
        await prune(store, LATER)

        assert await totals(store) == {}
        assert await outcomes(store) == {}
        assert await votes_of(store) == {}

    async def test_more_voters_than_are_looked_for_at_once(self, store: Store) -> None:
        saying, voters = generated("a saying"), [f"voter {n}" for n in range(120)]
        await store.put_sayings([saying])
        for voter in voters[::40]:
            await store.vote(vote(saying, voter))
        await store.vote(vote(saying, "bob"))

        for voter in voters:
            await store.forget(voter, asked_at=SOON)
        await prune(store, LATER)

        assert await totals(store) == {MODEL: Total(blind=Counts(1, 1), voters=1, sayings=1)}


class TestAddresses:
    async def test_they_go_after_a_month_and_what_is_counted_stays(self, open_store: OpenStore) -> None:
        store, saying, compared = await open_store(Quotas(address_votes=1)), generated("a saying"), comparison()
        await store.put_sayings([saying])
        await store.put_comparison(compared, shown(compared, "ann"))
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=STREET)
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter, networks=STREET))
        before = await totals(store), await outcomes(store)

        pruned = await prune(store, A_MONTH)

        kept = {name: (found.network, found.standing) for name, found in (await votes_of(store)).items()}
        assert pruned == Pruned(addresses=3)
        assert (await totals(store), await outcomes(store)) == before
        assert "street" not in await exported(store)
        assert kept == {"ann": ("", Standing.COUNTED), "bob": ("", Standing.SET_ASIDE)}

    async def test_they_are_kept_for_a_month(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "ann", networks=STREET))

        pruned = await prune(store, CAST_AT + 29 * DAY_SECONDS)

        assert pruned == Pruned()
        assert (await votes_of(store))["ann"].network == f"{DAY}/street"

    async def test_the_secret_of_a_day_goes_after_some_days(self, store: Store) -> None:
        drawn = await store.day_secret(DAY)

        await prune(store, CAST_AT + 2 * DAY_SECONDS)
        kept = await store.day_secret(DAY)
        await prune(store, CAST_AT + 5 * DAY_SECONDS)

        assert kept == drawn
        assert await store.day_secret(DAY) != drawn


class TestVoters:
    async def test_they_go_after_a_year_and_their_votes_stay(self, store: Store) -> None:
        saying, compared = generated("a saying"), comparison()
        await store.put_sayings([saying])
        await store.put_comparison(compared, shown(compared, "ann"))
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=STREET)
        await store.vote(vote(saying, "ann", networks=STREET))
        before = await counted(store)

        pruned = await prune(store, A_YEAR)

        (voter,), (cast,) = await votes_of(store), await ballots_of(store)
        assert pruned == Pruned(addresses=2, voters=2)
        assert (await counted(store))[:3] == before[:3]
        assert voter.startswith("forgotten:")
        assert voter_group(voter) == voter_group("ann")
        assert cast == ballot(compared, voter)

    async def test_they_are_kept_for_a_year_and_are_forgotten_once(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "ann"))

        parts = [await prune(store, CAST_AT + days * DAY_SECONDS) for days in (364, 366, 367)]

        assert parts == [Pruned(), Pruned(voters=1), Pruned()]

    async def test_votes_of_one_pass_stay_together_and_no_others(self, store: Store) -> None:
        sayings = [generated(f"saying {n}") for n in range(3)]
        await store.put_sayings(sayings)
        await store.vote(vote(sayings[0], "ann"))
        await store.vote(vote(sayings[1], "ann"))
        await store.vote(vote(sayings[1], "bob"))
        await store.vote(vote(sayings[2], "ann", at=CAST_AT + 10 * DAY_SECONDS))

        for days in (366, 376):
            await prune(store, CAST_AT + days * DAY_SECONDS)

        by_voter: dict[str, set[str]] = {}
        async for stored in store.all_votes():
            by_voter.setdefault(stored.voter, set()).add(stored.saying_id)
        one, two, three = (saying.saying_id for saying in sayings)
        assert sorted(map(sorted, by_voter.values())) == sorted(map(sorted, [{one, two}, {two}, {three}]))

    async def test_the_voter_may_vote_anew(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "ann"))
        await prune(store, A_YEAR)

        withdrawn = await store.withdraw_vote(saying.saying_id, "ann")
        again = effect(await store.vote(vote(saying, "ann", POSITIVE, at=A_YEAR)))

        assert withdrawn == VoteResult(VoteStatus.UNCHANGED, 1, 0)
        assert again == VoteResult(VoteStatus.RECORDED, 2, 0, Standing.COUNTED)


class TestUnvoted:
    async def test_what_was_only_shown_goes_after_a_month(self, store: Store) -> None:
        seen, chosen = comparison("seen"), comparison("chosen")
        for compared in (seen, chosen):
            await store.put_comparison(compared, shown(compared, "ann"))
        await store.cast_ballot(chosen.comparison_id, "ann", "A", at=CAST_AT)

        early, late = await prune(store, CAST_AT + 29 * DAY_SECONDS), await prune(store, A_MONTH)

        assert (early, late) == (Pruned(), Pruned(unvoted=1))
        assert [found.comparison_id for found in await ballots_of(store)] == [chosen.comparison_id]
        assert await store.get_comparison(seen.comparison_id, "ann") == (seen, None)
