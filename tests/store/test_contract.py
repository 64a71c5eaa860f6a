"""What store/base.py promises of sayings, leases, spend and secrets, on every backend."""

import asyncio
import random
import time
from collections import Counter
from datetime import date

import pytest

from service.catalogue.lifecycle import Lifecycle, LifeStage
from service.domain import Saying, VoteStatus
from service.errors import LeaseLost
from service.store.base import LONGEST_LEASE_SECONDS, ROUND_LEASE, Lease, Spend, SpendWindow, Store
from tests.store.builders import DAY, MODEL, collected, effect, generated, generation, vote

NOON = SpendWindow("2026-11-20", "2026-11-20T12")
ONE = SpendWindow("2026-11-20", "2026-11-20T13")
TOMORROW = SpendWindow("2026-11-21", "2026-11-21T12")
NO_CAP = 10**18


class TestSayings:
    @pytest.mark.parametrize("saying", [collected("written by hand"), generated("written by a model")])
    async def test_comes_back_as_it_was_put(self, store: Store, saying: Saying) -> None:
        await store.put_sayings([saying])

        assert await store.get_saying(saying.saying_id) == saying

    async def test_putting_tells_which_were_new(self, store: Store) -> None:
        known, fresh = generated("known words"), generated("new words")
        await store.put_sayings([known])

        new = await store.put_sayings([known, fresh])

        assert new == {fresh.saying_id}

    async def test_a_cost_may_be_unknown(self, store: Store) -> None:
        saying = Saying("id", "text", (), "source", generation(cost=None))

        await store.put_sayings([saying])

        assert await store.get_saying("id") == saying

    @pytest.mark.parametrize("unknown", ["unknown", "", "x" * 10_000])
    async def test_an_unknown_id_is_nothing(self, store: Store, unknown: str) -> None:
        assert await store.get_saying(unknown) is None

    async def test_putting_again_changes_neither_attribution_nor_votes(self, store: Store) -> None:
        first, second = collected("the same words"), generated("the same words")
        await store.put_sayings([first])
        await store.vote(vote(first))

        await store.put_sayings([second, second])

        assert await store.get_saying(first.saying_id) == first
        again = effect(await store.vote(vote(first)))
        assert again is not None
        assert (again.status, again.upvotes) == (VoteStatus.UNCHANGED, 1)

    async def test_known_and_new_ones_may_be_mixed(self, store: Store) -> None:
        known, new = collected("known"), collected("new")
        await store.put_sayings([known])

        await store.put_sayings([known, new])

        assert await store.get_saying(new.saying_id) == new

    async def test_of_the_same_saying_twice_the_first_is_kept(self, store: Store) -> None:
        first, second = generated("the same words"), collected("the same words")

        await store.put_sayings([first, second])

        assert await store.get_saying(first.saying_id) == first

    async def test_the_whole_collection_may_be_put_at_once_and_again(self, store: Store) -> None:
        sayings = [collected(f"saying {n}") for n in range(240)]

        await store.put_sayings(sayings)
        await store.put_sayings(sayings)

        assert await store.get_saying(sayings[0].saying_id) == sayings[0]
        assert await store.get_saying(sayings[-1].saying_id) == sayings[-1]

    async def test_an_empty_list_may_be_put(self, store: Store) -> None:
        await store.put_sayings([])

        assert await store.random_saying() is None

    async def test_many_writers_of_the_same_sayings_do_no_harm(self, store: Store) -> None:
        sayings = [collected(f"saying {n}") for n in range(5)]

        await asyncio.gather(*(store.put_sayings(sayings[n % 5 :]) for n in range(20)))

        assert [await store.get_saying(saying.saying_id) for saying in sayings] == sayings


class TestRandomSaying:
    async def test_an_empty_store_has_no_saying(self, store: Store) -> None:
        assert await store.random_saying() is None

    async def test_the_only_saying_is_always_found(self, store: Store) -> None:
        only = generated("the only one")
        await store.put_sayings([only])

        drawn = [await store.random_saying() for _ in range(10)]

        assert drawn == [only] * 10

    async def test_every_saying_comes_up_about_as_often_as_the_next(self, store: Store) -> None:
        random.seed(20_261_120)
        sayings = [collected(f"saying {n}") for n in range(40)]
        await store.put_sayings(sayings)

        drawn = Counter([await store.random_saying() for _ in range(400)])

        assert set(drawn) == set(sayings)
        assert max(drawn.values()) <= 2.5 * 10
        assert min(drawn.values()) >= 10 / 5


class TestRecentSayings:
    async def test_newest_first_since_a_time_and_no_more_than_the_limit(self, store: Store) -> None:
        sayings = [generated(f"saying {at}", created_at=at) for at in (10.5, 30.5, 20.5, 40.5)]
        await store.put_sayings(sayings)

        everything = await store.recent_sayings(MODEL, since=0, limit=10, simulated=False)
        since_20 = await store.recent_sayings(MODEL, since=20.5, limit=10, simulated=False)
        newest_two = await store.recent_sayings(MODEL, since=0, limit=2, simulated=False)

        assert [saying.text for saying in everything] == ["saying 40.5", "saying 30.5", "saying 20.5", "saying 10.5"]
        assert since_20 == everything[:3]
        assert newest_two == everything[:2]

    async def test_simulated_and_other_sayings_are_kept_apart(self, store: Store) -> None:
        real, simulated = generated("real"), generated("simulated", simulated=True)
        await store.put_sayings([real, simulated, collected("of the collection")])

        assert await store.recent_sayings(MODEL, since=0, limit=10, simulated=False) == [real]
        assert await store.recent_sayings(MODEL, since=0, limit=10, simulated=True) == [simulated]
        assert await store.recent_sayings("gpt-4.1-mini", since=0, limit=10, simulated=False) == []

    async def test_a_limit_of_zero_gives_no_sayings(self, store: Store) -> None:
        await store.put_sayings([generated("real")])

        assert await store.recent_sayings(MODEL, since=0, limit=0, simulated=False) == []


class TestLeases:
    async def test_one_of_fifty_gets_it(self, store: Store) -> None:
        wishes = (store.acquire_lease(ROUND_LEASE, f"holder {n}", now=100.0, seconds=60) for n in range(50))

        granted = [lease for lease in await asyncio.gather(*wishes) if lease]

        assert [(lease.token, lease.expires_at) for lease in granted] == [(1, 160.0)]

    async def test_is_free_again_once_expired_and_the_token_grows(self, store: Store) -> None:
        first = await store.acquire_lease(ROUND_LEASE, "first", now=100.0, seconds=60.5)

        too_early = await store.acquire_lease(ROUND_LEASE, "second", now=160.25, seconds=60)
        in_time = await store.acquire_lease(ROUND_LEASE, "second", now=160.5, seconds=60)

        assert first == Lease(ROUND_LEASE, "first", 1, 160.5)
        assert too_early is None
        assert in_time == Lease(ROUND_LEASE, "second", 2, 220.5)

    async def test_one_taken_by_a_clock_that_was_ahead_is_void(self, store: Store) -> None:
        await _lease(store, "ahead", now=100.0 + 5 * 3600)

        lease = await store.acquire_lease(ROUND_LEASE, "second", now=100.0, seconds=60)

        assert lease == Lease(ROUND_LEASE, "second", 2, 160.0, voided_until=160.0 + 5 * 3600)

    async def test_one_that_lasts_longer_than_any_lease_is_void(self, store: Store) -> None:
        first = await _lease(store, "first", now=100.0)
        await store.keep_lease(first, until=100.0 + LONGEST_LEASE_SECONDS + 650)

        refused = await store.acquire_lease(ROUND_LEASE, "second", now=200.0, seconds=60)
        lease = await store.acquire_lease(ROUND_LEASE, "second", now=100.0, seconds=60)

        assert refused is None
        assert lease is not None
        assert lease.voided_until == 100.0 + LONGEST_LEASE_SECONDS + 650

    async def test_clocks_may_differ_a_little(self, store: Store) -> None:
        await store.acquire_lease(ROUND_LEASE, "ahead", now=130.0, seconds=LONGEST_LEASE_SECONDS)

        assert await store.acquire_lease(ROUND_LEASE, "second", now=100.0, seconds=60) is None

    async def test_leases_of_other_names_are_other_leases(self, store: Store) -> None:
        await store.acquire_lease("one", "first", now=100.0, seconds=60)

        assert await store.acquire_lease("another", "second", now=100.0, seconds=60) is not None

    async def test_can_be_kept_by_its_holder_only(self, store: Store) -> None:
        first = await _lease(store, "first", now=100.0)

        kept = await store.keep_lease(first, until=200.0)
        refused = await store.acquire_lease(ROUND_LEASE, "second", now=199.0, seconds=60)
        second = await _lease(store, "second", now=200.0)

        assert kept
        assert refused is None
        assert not await store.keep_lease(first, until=900.0)
        assert await store.keep_lease(second, until=900.0)

    async def test_a_lease_that_was_never_taken_cannot_be_kept(self, store: Store) -> None:
        assert not await store.keep_lease(Lease(ROUND_LEASE, "nobody", 1, 100.0), until=200.0)

    async def test_the_holder_writes(self, store: Store) -> None:
        lease = await _lease(store, "first", now=100.0)
        known, new = generated("known"), generated("new")
        await store.put_sayings([known])

        await store.put_sayings([known, new], fence=lease)

        assert await store.get_saying(new.saying_id) == new

    async def test_a_stale_holder_is_refused_and_writes_nothing(self, store: Store) -> None:
        stale = await _lease(store, "first", now=100.0)
        await _lease(store, "second", now=200.0)
        known, new = generated("known"), generated("new")
        await store.put_sayings([known])

        with pytest.raises(LeaseLost):
            await store.put_sayings([known, new], fence=stale)
        with pytest.raises(LeaseLost):
            await store.put_sayings([], fence=stale)

        assert await store.get_saying(new.saying_id) is None


class TestSpend:
    async def test_caps_hold_to_the_last_nanodollar_under_load(self, store: Store) -> None:
        caps = Spend(day=NO_CAP, hour=7 * 60 + 3)

        granted = await asyncio.gather(*(store.reserve_spend(NOON, 7, caps=caps) for _ in range(100)))

        assert sorted(held.hour for held in granted if held) == [7 * count for count in range(1, 61)]
        assert await store.reserve_spend(NOON, 4, caps=caps) is None
        assert await store.reserve_spend(NOON, 3, caps=caps) == Spend(423, 423)
        assert await store.reserve_spend(NOON, 1, caps=caps) is None
        assert await store.spend(NOON) == Spend(423, 423)

    async def test_both_the_hour_and_the_day_are_held(self, store: Store) -> None:
        caps = Spend(day=15, hour=10)

        asked = [(NOON, 10), (NOON, 1), (ONE, 6), (ONE, 5), (ONE, 1), (TOMORROW, 10)]
        granted = [await store.reserve_spend(window, amount, caps=caps) for window, amount in asked]

        assert granted == [Spend(10, 10), None, None, Spend(15, 5), None, Spend(10, 10)]
        assert await store.spend(NOON) == Spend(15, 10)
        assert await store.spend(ONE) == Spend(15, 5)
        assert await store.spend(TOMORROW) == Spend(10, 10)

    @pytest.mark.parametrize("caps", [Spend(day=99, hour=NO_CAP), Spend(day=NO_CAP, hour=99)])
    async def test_what_is_above_a_cap_alone_is_refused(self, store: Store, caps: Spend) -> None:
        assert await store.reserve_spend(NOON, 100, caps=caps) is None
        assert await store.spend(NOON) == Spend(0, 0)

    async def test_what_a_call_did_not_cost_can_be_spent_again(self, store: Store) -> None:
        caps = Spend(day=100, hour=100)
        await store.reserve_spend(NOON, 100, caps=caps)

        await store.adjust_spend(NOON, -30)

        assert await store.spend(NOON) == Spend(70, 70)
        assert await store.reserve_spend(NOON, 31, caps=caps) is None
        assert await store.reserve_spend(NOON, 30, caps=caps) == Spend(100, 100)

    async def test_a_call_may_cost_more_than_was_reserved(self, store: Store) -> None:
        await store.adjust_spend(NOON, 25)

        assert await store.spend(NOON) == Spend(25, 25)


class TestShares:
    CAPS = Spend(day=NO_CAP, hour=NO_CAP)

    async def test_a_share_holds_apart_from_the_caps(self, store: Store) -> None:
        shares = {"compare": Spend(10, 10), "client/a": Spend(8, 6)}

        asked = [4, 4, 2, 1]
        granted = [await store.reserve_spend(NOON, amount, caps=self.CAPS, shares=shares) for amount in asked]

        assert granted == [Spend(4, 4), None, Spend(6, 6), None]
        assert [await store.spend(NOON, share) for share in ("", *shares)] == [Spend(6, 6)] * 3

    async def test_the_shares_day_goes_on_in_the_next_hour(self, store: Store) -> None:
        shares = {"client/a": Spend(8, 6)}
        await store.reserve_spend(NOON, 6, caps=self.CAPS, shares=shares)

        granted = [await store.reserve_spend(ONE, amount, caps=self.CAPS, shares=shares) for amount in (3, 2)]

        assert granted == [None, Spend(8, 2)]
        assert await store.spend(ONE, "client/a") == Spend(8, 2)

    async def test_what_a_cap_or_another_share_refuses_is_in_no_share(self, store: Store) -> None:
        shares = {"client/a": Spend(9, 9), "client/b": Spend(9, 9), "compare": Spend(9, 9)}
        full = [{"client/b": Spend(9, 9)}, {"compare": Spend(9, 9)}]
        for share in full:
            await store.reserve_spend(NOON, 9, caps=self.CAPS, shares=share)

        assert await store.reserve_spend(NOON, 1, caps=self.CAPS, shares=shares) is None
        assert await store.reserve_spend(NOON, 2, caps=Spend(19, 19), shares={"client/a": Spend(9, 9)}) is None
        assert await store.spend(NOON, "client/a") == Spend(0, 0)

    async def test_an_untouched_share_takes_one_amount_of_any_size(self, store: Store) -> None:
        shares = {"client/a": Spend(5, 5), "live": Spend(5, 5)}
        first = await store.reserve_spend(NOON, 7, caps=self.CAPS, shares=shares)
        second = await store.reserve_spend(NOON, 1, caps=self.CAPS, shares=shares)

        await store.adjust_spend(NOON, -7, shares=shares)

        assert (first, second) == (Spend(7, 7), None)
        assert await store.reserve_spend(NOON, 7, caps=self.CAPS, shares=shares) == Spend(7, 7)

    async def test_a_share_holds_under_load(self, store: Store) -> None:
        shares = {"compare": Spend(500, 500), "client/a": Spend(70, 70)}
        asking = (store.reserve_spend(NOON, 7, caps=self.CAPS, shares=shares) for _ in range(30))

        granted = [held for held in await asyncio.gather(*asking) if held]

        assert len(granted) == 10
        assert await store.spend(NOON, "compare") == Spend(70, 70)


async def test_the_stores_clock_is_the_time(store: Store) -> None:
    assert abs(await store.time() - time.time()) < 60


class TestPing:
    async def test_answers_with_and_without_sayings(self, store: Store) -> None:
        await store.ping()
        await store.put_sayings([generated("a saying")])
        await store.ping()


async def _lease(store: Store, holder: str, *, now: float) -> Lease:
    lease = await store.acquire_lease(ROUND_LEASE, holder, now=now, seconds=60)
    assert lease is not None
    return lease


class TestGoneModels:
    async def test_at_first_none_is_gone(self, store: Store) -> None:
        assert await store.gone_models() == {}

    async def test_the_last_moment_counts(self, store: Store) -> None:
        await store.mark_gone("gpt-4.1", since=1.0)
        await store.mark_gone("claude-sonnet-4-5", since=2.5)
        await store.mark_gone("gpt-4.1", since=3.0)

        assert await store.gone_models() == {"gpt-4.1": 3.0, "claude-sonnet-4-5": 2.5}


async def test_what_vendors_say_of_their_models_replaces_what_they_said(store: Store) -> None:
    before = Lifecycle("gpt-4.1", LifeStage.ACTIVE, None, 1.0)
    after = Lifecycle("gpt-4.1", LifeStage.DEPRECATED, date(2027, 1, 14), 2.5)
    other = Lifecycle("claude-haiku-4-5", LifeStage.ACTIVE, None, 1.0)
    assert await store.lifecycles() == {}

    await store.put_lifecycles([before, other])
    await store.put_lifecycles([after])

    assert await store.lifecycles() == {"gpt-4.1": after, "claude-haiku-4-5": other}


class TestDaySecrets:
    async def test_whoever_asks_first_makes_it_for_all(self, store: Store) -> None:
        drawn = await asyncio.gather(*(store.day_secret(DAY) for _ in range(20)))

        assert len(set(drawn)) == 1
        assert len(drawn[0].reveal()) >= 32

    async def test_every_day_has_its_own(self, store: Store) -> None:
        assert await store.day_secret(DAY) != await store.day_secret("2027-01-16")


async def test_the_last_analysis_takes_the_place_of_the_earlier_one(store: Store) -> None:
    before = await store.analysis()

    await store.put_analysis('{"n": 1}')
    await store.put_analysis('{"n": 2}')

    assert (before, await store.analysis()) == (None, '{"n": 2}')
