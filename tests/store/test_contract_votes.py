"""What store/base.py promises of votes, on every backend: opinions, and which of them count in the comparison."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.domain import Attribution, NetworkDay, Saying, Standing, Vote, VoteResult, VoteStatus
from service.limits import Quotas
from service.store.base import Counts, HourTally, Store, StoredVote, Strand, VoteTally
from service.store.groups import item_group, voter_group
from tests.store.builders import (
    BLIND,
    CAST_AT,
    DAY,
    HOUR,
    MODEL,
    NAMED,
    NEGATIVE,
    OPEN,
    POSITIVE,
    collected,
    comparison,
    effect,
    generated,
    network,
    shown,
    vote,
)
from tests.store.conftest import OpenStore
from tests.store.counting import NOTHING, Total, outcomes, totals, without

COUNTED, SET_ASIDE, UNVERIFIED = Standing.COUNTED, Standing.SET_ASIDE, Standing.UNVERIFIED
A_DAY = 24 * 3_600
UP, DOWN = Counts(1, 1), Counts(1, 0)
# An address has two votes on each model, blind and named each.
TWO_ON_A_MODEL = Quotas(address_votes=16)
# So many models that three votes on one of them cannot be honest.
VERY_MANY = 10_000
WIDE = network("wide", share=16)


class TestOpinions:
    async def test_votes_move_the_counters_of_the_saying(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])

        recorded = effect(await store.vote(vote(saying, "ann", POSITIVE)))
        beside = effect(await store.vote(vote(saying, "bob", NEGATIVE)))

        assert recorded == VoteResult(VoteStatus.RECORDED, 1, 0, COUNTED)
        assert beside == VoteResult(VoteStatus.RECORDED, 1, 1, COUNTED)

    async def test_repeating_a_vote_changes_nothing(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))

        again = effect(await store.vote(vote(saying, at=CAST_AT + 60, attribution=NAMED, networks=[network()])))

        assert again == VoteResult(VoteStatus.UNCHANGED, 1, 0, COUNTED)
        assert await stored(store) == [_as_cast(vote(saying))]
        assert await totals(store) == {MODEL: Total(blind=UP, voters=1, sayings=1)}

    async def test_changing_a_vote_moves_the_counters_of_the_saying_alone(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))
        before = await store.aggregates(since_hour="")

        changed = effect(await store.vote(vote(saying, feedback=NEGATIVE, at=CAST_AT + A_DAY, attribution=NAMED)))

        assert changed == VoteResult(VoteStatus.CHANGED, 0, 1, COUNTED)
        assert await stored(store) == [replace(_as_cast(vote(saying)), opinion=NEGATIVE, cast_at=CAST_AT + A_DAY)]
        assert await store.aggregates(since_hour="") == before

    async def test_a_withdrawn_vote_stays_on_record_and_can_be_cast_again(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))
        before = await store.aggregates(since_hour="")

        withdrawn = await store.withdraw_vote(saying.saying_id, "ann")
        kept = await stored(store)
        again = effect(await store.vote(vote(saying, feedback=NEGATIVE, at=CAST_AT + 60, attribution=NAMED)))

        assert withdrawn == VoteResult(VoteStatus.WITHDRAWN, 0, 0, COUNTED)
        assert kept == [replace(_as_cast(vote(saying)), opinion=None)]
        assert again == VoteResult(VoteStatus.RECORDED, 0, 1, COUNTED)
        assert await store.aggregates(since_hour="") == before

    async def test_withdrawing_what_was_not_cast_changes_nothing(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "bob"))

        assert await store.withdraw_vote(saying.saying_id, "ann") == VoteResult(VoteStatus.UNCHANGED, 1, 0)

    @pytest.mark.parametrize("unknown", ["unknown", "", "x" * 10_000])
    async def test_an_unknown_saying_cannot_be_voted_on(self, store: Store, unknown: str) -> None:
        on_nothing = vote(Saying(unknown, "never put", (), "nobody"))

        assert await store.vote(on_nothing) is None
        assert await store.withdraw_vote(unknown, "ann") is None
        assert await totals(store) == {}

    async def test_a_vote_that_claims_nothing_comes_as_such(self, store: Store) -> None:
        saying = collected("a saying")
        await store.put_sayings([saying])
        silent = Vote(saying.saying_id, "ann", POSITIVE, CAST_AT)

        await store.vote(silent)

        assert await stored(store) == [_as_cast(silent, UNVERIFIED, contributor="collection")]

    async def test_two_hundred_voters_at_once_are_all_counted(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])

        votes = [vote(saying, f"voter {n}", POSITIVE if n < 150 else NEGATIVE) for n in range(200)]
        results = map(effect, await asyncio.gather(*map(store.vote, votes)))

        assert {result.status for result in results if result} == {VoteStatus.RECORDED}
        assert await store.withdraw_vote(saying.saying_id, "nobody") == VoteResult(VoteStatus.UNCHANGED, 150, 50)
        assert await totals(store) == {MODEL: Total(blind=Counts(200, 150), voters=200, sayings=1)}

    async def test_one_voter_fifty_times_at_once_counts_once(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])

        results = await asyncio.gather(*(store.vote(vote(saying, networks=[network()])) for _ in range(50)))

        statuses = Counter(result.status for result in map(effect, results) if result)
        assert statuses == {VoteStatus.RECORDED: 1, VoteStatus.UNCHANGED: 49}
        assert await totals(store) == {MODEL: Total(blind=UP, voters=1, sayings=1)}

    async def test_concurrent_changes_and_withdrawals_of_a_vote_count_once(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, feedback=POSITIVE))

        changes = await asyncio.gather(*(store.vote(vote(saying, feedback=NEGATIVE)) for _ in range(15)))
        withdrawals = await asyncio.gather(*(store.withdraw_vote(saying.saying_id, "ann") for _ in range(15)))

        assert Counter(result.status for result in map(effect, changes) if result) == {"changed": 1, "unchanged": 14}
        assert Counter(result.status for result in withdrawals if result) == {"withdrawn": 1, "unchanged": 14}
        assert [one.upvotes + one.downvotes async for one in store.all_sayings()] == [0]

    async def test_one_voter_of_two_minds_at_once_ends_with_one_vote(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])

        await asyncio.gather(*(store.vote(vote(saying, feedback=mind)) for mind in (POSITIVE, NEGATIVE)))

        (kept,) = await stored(store)
        assert {one.upvotes + one.downvotes async for one in store.all_sayings()} == {1}
        assert await totals(store) == {MODEL: Total(UP if kept.first is POSITIVE else DOWN, voters=1, sayings=1)}


class TestWhatCounts:
    @pytest.mark.parametrize(
        ("attribution", "standing", "total"),
        [
            (BLIND, COUNTED, Total(blind=UP, voters=1, sayings=1)),
            (NAMED, COUNTED, Total(named=UP)),
            (OPEN, COUNTED, Total(opened=UP)),
            (None, UNVERIFIED, Total(unverified=UP)),
        ],
    )
    async def test_votes_are_counted_apart_by_attribution(
        self, store: Store, attribution: Attribution | None, standing: Standing, total: Total
    ) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])

        result = effect(await store.vote(vote(saying, attribution=attribution)))

        assert result is not None
        assert (result.standing, await totals(store)) == (standing, {MODEL: total})

    async def test_a_vote_is_in_the_strand_and_the_cell_that_it_belongs_to(self, store: Store) -> None:
        sayings = [generated("one", snapshot="gpt-4.1-2027-01-01"), generated("two")]
        await store.put_sayings(sayings)

        await store.vote(vote(sayings[0], "ann"))
        await store.vote(vote(sayings[1], "ann", NEGATIVE, at=CAST_AT + A_DAY, attribution=NAMED))

        cells = [(voter_group("ann"), item_group(saying.saying_id)) for saying in sayings]
        assert (await store.aggregates(since_hour="")).votes == {
            Strand(MODEL, DAY, "v1", "gpt-4.1-2027-01-01"): VoteTally(blind={cells[0]: UP}, voters=1, sayings=1),
            Strand(MODEL, "2027-01-16", "v1", ""): VoteTally(named={cells[1]: DOWN}),
        }

    async def test_votes_count_for_the_contributor_of_the_saying(self, store: Store) -> None:
        sayings = [generated("real"), generated("simulated", simulated=True), collected("of the collection")]
        await store.put_sayings(sayings)

        for saying in sayings:
            await store.vote(vote(saying))

        one = Total(blind=UP, voters=1, sayings=1)
        assert await totals(store) == {MODEL: one, f"{MODEL} (simulated)": one, "collection": one}

    async def test_a_vote_that_came_without_a_token_never_counts(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, attribution=None))

        await store.withdraw_vote(saying.saying_id, "ann")
        again = effect(await store.vote(vote(saying, attribution=BLIND)))

        assert again == VoteResult(VoteStatus.RECORDED, 1, 0, UNVERIFIED)
        assert await totals(store) == {MODEL: Total(unverified=UP)}

    async def test_only_blind_votes_count_for_services_and_all_for_their_hour(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])

        for voter, attribution in (("ann", BLIND), ("bob", NAMED), ("cy", None)):
            await store.vote(vote(saying, voter, attribution=attribution))

        counted = await store.aggregates(since_hour="")
        assert counted.services == {("Amazon S3", MODEL): UP}
        assert counted.hours == {(HOUR, MODEL): HourTally(votes=3)}

    async def test_voters_and_sayings_are_counted_with_their_first_blind_vote(self, store: Store) -> None:
        one, two = generated("one"), generated("two")
        await store.put_sayings([one, two])

        await store.vote(vote(one, "ann", attribution=NAMED))
        await store.vote(vote(two, "ann"))
        await store.vote(vote(two, "bob", at=CAST_AT + A_DAY))
        await store.vote(vote(one, "bob", at=CAST_AT + A_DAY))

        tallies = {strand.day: tally for strand, tally in (await store.aggregates(since_hour="")).votes.items()}
        assert [(tally.voters, tally.sayings) for _, tally in sorted(tallies.items())] == [(1, 1), (1, 1)]

    async def test_first_votes_at_once_are_first_once(self, store: Store) -> None:
        sayings, voters = [generated(f"saying {n}") for n in range(4)], [f"voter {n}" for n in range(4)]
        await store.put_sayings(sayings)

        await asyncio.gather(*(store.vote(vote(saying, voter)) for saying in sayings for voter in voters))

        assert await totals(store) == {MODEL: Total(blind=Counts(16, 16), voters=4, sayings=4)}


class TestQuotas:
    async def test_the_excess_of_an_address_on_one_model_is_set_aside_and_nothing_else(
        self, open_store: OpenStore
    ) -> None:
        store, sayings = await open_store(TWO_ON_A_MODEL), [generated(f"saying {n}") for n in range(3)]
        await store.put_sayings([*sayings, collected("by hand")])

        standings = await cast(store, [vote(saying, networks=[network()]) for saying in sayings])
        others = [
            vote(sayings[2], "bob", attribution=NAMED, networks=[network()]),
            vote(sayings[2], "cy", networks=[network("elsewhere")]),
            vote(collected("by hand"), networks=[network()]),
        ]

        assert standings == [COUNTED, COUNTED, SET_ASIDE]
        assert await cast(store, others) == [COUNTED, COUNTED, COUNTED]
        assert (await totals(store))[MODEL] == Total(Counts(3, 3), UP, aside=UP, voters=2, sayings=3)
        assert (await store.aggregates(since_hour="")).services["Amazon S3", MODEL] == Counts(3, 3)

    async def test_an_address_has_so_many_votes_in_all(self, open_store: OpenStore) -> None:
        store, saying = await open_store(Quotas(address_votes=2)), generated("a saying")
        await store.put_sayings([saying])

        votes = [vote(saying, str(n), attribution=each, networks=[network()]) for n, each in enumerate((BLIND, NAMED))]
        open_vote = vote(saying, "third", attribution=OPEN, networks=[network()])

        assert await cast(store, [*votes, open_vote]) == [COUNTED, COUNTED, SET_ASIDE]

    async def test_a_wide_network_is_held_to_its_share(self, open_store: OpenStore) -> None:
        store, saying, wide = await open_store(TWO_ON_A_MODEL), generated("a saying"), network("wide", share=2)
        await store.put_sayings([saying])

        votes = [vote(saying, str(n), networks=[network(f"near {n}"), wide]) for n in range(5)]

        assert await cast(store, votes) == [COUNTED] * 4 + [SET_ASIDE]
        assert {one.network for one in await stored(store)} == {f"{DAY}/near {n}" for n in range(5)}

    async def test_the_next_day_begins_anew(self, open_store: OpenStore) -> None:
        store, sayings = await open_store(TWO_ON_A_MODEL), [generated(f"saying {n}") for n in range(3)]
        await store.put_sayings(sayings)
        tomorrow = network(day="2027-01-16")

        await cast(store, [vote(saying, networks=[network()]) for saying in sayings[:2]])

        assert await cast(store, [vote(sayings[2], at=CAST_AT + A_DAY, networks=[tomorrow])]) == [COUNTED]

    async def test_votes_without_a_token_take_nothing_from_the_quota(self, open_store: OpenStore) -> None:
        store, saying = await open_store(TWO_ON_A_MODEL), generated("a saying")
        await store.put_sayings([saying])

        unverified = [vote(saying, str(n), attribution=None, networks=[network()]) for n in range(9)]

        assert await cast(store, unverified) == [UNVERIFIED] * 9
        assert await cast(store, [vote(saying, networks=[network()])]) == [COUNTED]

    async def test_a_voter_has_so_many_blind_votes_on_a_model(self, open_store: OpenStore) -> None:
        store, sayings = await open_store(Quotas(voter_model_votes=2)), [generated(f"saying {n}") for n in range(4)]
        await store.put_sayings([*sayings, generated("simulated", simulated=True)])

        standings = await cast(store, [vote(saying) for saying in sayings[:3]])
        others = [vote(sayings[3], attribution=NAMED), vote(generated("simulated", simulated=True))]

        assert standings == [COUNTED, COUNTED, SET_ASIDE]
        assert await cast(store, others) == [COUNTED, COUNTED]

    async def test_votes_at_once_do_not_get_past_it(self, open_store: OpenStore) -> None:
        store, saying = await open_store(TWO_ON_A_MODEL), generated("a saying")
        await store.put_sayings([saying])

        await asyncio.gather(*(store.vote(vote(saying, str(n), networks=[network()])) for n in range(8)))

        assert await totals(store) == {MODEL: Total(Counts(2, 2), aside=Counts(6, 6), voters=2, sayings=1)}


class TestImplausibleNetworks:
    async def test_all_blind_votes_of_the_day_are_set_aside(self, store: Store) -> None:
        sayings = [generated(f"saying {n}") for n in range(3)]
        await store.put_sayings(sayings)

        standings = await cast(store, blind_votes(sayings))

        counted = await store.aggregates(since_hour="")
        assert standings == [COUNTED, COUNTED, SET_ASIDE]
        assert {one.standing for one in await stored(store)} == {SET_ASIDE}
        assert await totals(store) == {MODEL: Total(aside=Counts(3, 3))}
        assert without(NOTHING, counted.services) == {}
        assert counted.hours == {(HOUR, MODEL): HourTally(votes=3)}

    async def test_what_comes_later_is_set_aside_too(self, store: Store) -> None:
        sayings, compared = [generated(f"saying {n}") for n in range(4)], comparison()
        await store.put_sayings(sayings)
        await store.put_comparison(compared, shown(compared))
        await cast(store, blind_votes(sayings[:3]))

        later = await cast(store, [vote(sayings[3], attribution=NAMED, networks=[network()])])
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=[network()])

        assert later == [SET_ASIDE]
        assert list((await outcomes(store)).values()) == [(0, 1)]

    async def test_the_votes_of_others_stay(self, store: Store) -> None:
        sayings = [generated(f"saying {n}") for n in range(3)]
        await store.put_sayings(sayings)
        others = [
            vote(sayings[0], "bob", networks=[network("office")]),
            vote(sayings[0], "cy"),
            vote(sayings[0], "ann's sister", attribution=NAMED, networks=[network()]),
            vote(sayings[1], "ann's brother", attribution=None, networks=[network()]),
        ]
        await cast(store, others)

        await cast(store, blind_votes(sayings))

        assert await totals(store) == {
            MODEL: Total(Counts(2, 2), UP, aside=Counts(3, 3), unverified=UP, voters=2, sayings=1)
        }

    async def test_a_wide_network_is_judged_as_a_whole(self, store: Store) -> None:
        sayings, wide = [generated(f"saying {n}") for n in range(3)], network("wide", share=4)
        await store.put_sayings(sayings)

        for number, saying in enumerate(sayings):
            near = [network(f"near {number}"), wide]
            await store.vote(vote(saying, str(number), networks=near, models=VERY_MANY))

        assert await totals(store) == {MODEL: Total(aside=Counts(3, 3))}

    async def test_the_neighbours_in_a_wide_network_keep_their_votes(self, store: Store) -> None:
        sayings, others = [generated(f"saying {n}") for n in range(4)], [of_model(f"model {n}") for n in range(9)]
        await store.put_sayings([*sayings, *others])
        neighbours, exposing = neighbours_votes(others), blind_votes(sayings[:3], WIDE)
        named = vote(sayings[3], attribution=NAMED, networks=[network(), WIDE])

        standings = await cast(store, [*neighbours[:8], *exposing, neighbours[8], named])

        counted = {one.voter for one in await stored(store) if one.standing is COUNTED}
        assert standings == [*[COUNTED] * 10, SET_ASIDE, COUNTED, SET_ASIDE]
        assert counted == {one.voter for one in neighbours}

    async def test_what_comes_from_an_implausible_network_goes_on_to_tell_of_the_wide_one(self, store: Store) -> None:
        sayings, others = [generated(f"saying {n}") for n in range(4)], [of_model(f"model {n}") for n in range(9)]
        await store.put_sayings([*sayings, *others])
        neighbours, exposing = neighbours_votes(others), blind_votes(sayings, WIDE)

        await cast(store, [*neighbours[:8], *exposing])

        assert await cast(store, neighbours[8:]) == [SET_ASIDE]
        assert {one.standing for one in await stored(store)} == {SET_ASIDE}

    async def test_a_vote_that_was_changed_and_withdrawn_is_set_aside_by_its_first_opinion(self, store: Store) -> None:
        sayings = [generated(f"saying {n}") for n in range(3)]
        await store.put_sayings(sayings)
        await cast(store, blind_votes(sayings[:2]))
        await store.vote(vote(sayings[0], feedback=NEGATIVE))
        await store.withdraw_vote(sayings[1].saying_id, "ann")

        await cast(store, blind_votes(sayings[2:]))

        counters = {one.saying.saying_id: (one.upvotes, one.downvotes) async for one in store.all_sayings()}
        assert await totals(store) == {MODEL: Total(aside=Counts(3, 3))}
        assert [counters[saying.saying_id] for saying in sayings] == [(0, 1), (0, 0), (1, 0)]


def of_model(model: str) -> Saying:
    saying = generated(f"by {model}")
    assert saying.generation is not None
    return replace(saying, generation=replace(saying.generation, model=model))


def blind_votes(sayings: Sequence[Saying], *around: NetworkDay) -> list[Vote]:
    """Votes from one network, of which three cannot be honest."""
    return [vote(saying, networks=[network(), *around], models=VERY_MANY) for saying in sayings]


def neighbours_votes(sayings: Sequence[Saying]) -> list[Vote]:
    """Votes from other networks within the wide one."""
    return [
        vote(saying, f"neighbour {n}", networks=[network(f"near {n}"), WIDE], models=VERY_MANY)
        for n, saying in enumerate(sayings)
    ]


async def cast(store: Store, votes: Sequence[Vote]) -> list[Standing | None]:
    """Cast votes one after the other."""
    results = [effect(await store.vote(each)) for each in votes]
    return [result.standing if result else None for result in results]


async def stored(store: Store) -> list[StoredVote]:
    return [one async for one in store.all_votes()]


def _as_cast(vote: Vote, standing: Standing = COUNTED, contributor: str = MODEL) -> StoredVote:
    return StoredVote(
        vote.saying_id,
        vote.voter,
        contributor,
        vote.feedback_type,
        vote.cast_at,
        vote.feedback_type,
        vote.cast_at,
        vote.attribution,
        standing,
        vote.networks[0].name if vote.networks else "",
        vote.claimed_execution_ms,
        vote.claimed_cached,
    )
