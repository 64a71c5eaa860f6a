"""What store/base.py promises of lists of sayings, on every backend."""

from dataclasses import replace

import pytest

from service.domain import Saying, SayingOrder, Withdrawal, WithdrawnBy
from service.store.base import LONGEST_LIST, Listing, Store, StoredSaying
from tests.store.builders import CAST_AT, MODEL, NEGATIVE, POSITIVE, collected, generated, vote

OTHER_MODEL = "claude-haiku-4-5"
TOP = Listing(SayingOrder.TOP, simulated=False)
NEW = Listing(SayingOrder.NEW, simulated=False)
each_order = pytest.mark.parametrize("listing", [TOP, NEW], ids=["top", "new"])


def of_model(text: str, model: str = MODEL, *, service: str = "Amazon S3", created_at: float = 100.0) -> Saying:
    saying = generated(text, created_at=created_at)
    assert saying.generation is not None
    return replace(saying, services=(service,), generation=replace(saying.generation, model=model))


async def put(store: Store, saying: Saying, *, up: int = 0, down: int = 0) -> str:
    """Store a saying with so many votes, and return its id."""
    await store.put_sayings([saying])
    for number in range(up + down):
        await store.vote(vote(saying, f"voter {number}", POSITIVE if number < up else NEGATIVE))
    return saying.saying_id


async def listed(store: Store, listing: Listing) -> list[str]:
    await store.rank_sayings(simulated=listing.simulated)
    return await store.listed_ids(listing)


class TestStoredSayings:
    async def test_they_come_with_their_counters(self, store: Store) -> None:
        saying, other = generated("voted on"), collected("by hand")
        await put(store, saying, up=2, down=1)
        await put(store, other)

        found = await store.stored_sayings([saying.saying_id, other.saying_id, "0" * 32])

        by_id = {each.saying.saying_id: each for each in found}
        assert by_id == {saying.saying_id: StoredSaying(saying, 2, 1), other.saying_id: StoredSaying(other, 0, 0)}

    async def test_an_id_may_be_named_twice(self, store: Store) -> None:
        identity = await put(store, generated("named twice"))

        assert len(await store.stored_sayings([identity, identity])) == 1

    async def test_nothing_is_asked_for(self, store: Store) -> None:
        assert await store.stored_sayings([]) == []

    async def test_a_withdrawn_one_is_found_if_it_is_stored(self, store: Store) -> None:
        saying = generated("withdrawn")
        await put(store, saying)
        for identity in (saying.saying_id, "0" * 32):
            await store.withdraw_saying(Withdrawal(identity, "slander", WithdrawnBy.OPERATOR, CAST_AT))

        assert await store.stored_sayings([saying.saying_id, "0" * 32]) == [StoredSaying(saying, 0, 0)]


class TestTop:
    async def test_the_best_by_the_lower_end_of_the_interval_come_first(self, store: Store) -> None:
        one_of_one = await put(store, of_model("one of one"), up=1)
        seven_of_eight = await put(store, of_model("seven of eight"), up=7, down=1)
        one_of_three = await put(store, of_model("one of three"), up=1, down=2)

        assert await listed(store, TOP) == [seven_of_eight, one_of_one, one_of_three]

    async def test_only_sayings_with_votes_are_in_it(self, store: Store) -> None:
        await put(store, of_model("nobody cares"))
        disliked = await put(store, of_model("disliked"), down=2)

        assert await listed(store, TOP) == [disliked]

    async def test_a_vote_that_is_taken_back_takes_the_saying_out(self, store: Store) -> None:
        identity = await put(store, of_model("taken back"), up=1)
        before = await listed(store, TOP)

        await store.withdraw_vote(identity, "voter 0")

        assert (before, await listed(store, TOP)) == ([identity], [])

    async def test_a_vote_that_is_changed_moves_it(self, store: Store) -> None:
        saying = of_model("changed")
        changed, steady = await put(store, saying, up=2), await put(store, of_model("steady"), up=1)
        before = await listed(store, TOP)

        await store.vote(vote(saying, "voter 0", NEGATIVE))

        assert (before, await listed(store, TOP)) == ([changed, steady], [steady, changed])

    async def test_the_collection_is_in_it(self, store: Store) -> None:
        by_hand = await put(store, collected("by hand"), up=1)

        assert await listed(store, TOP) == await listed(store, replace(TOP, simulated=True)) == [by_hand]


class TestNew:
    async def test_the_newest_come_first_with_and_without_votes(self, store: Store) -> None:
        old = await put(store, of_model("old", created_at=100.25), up=3)
        new = await put(store, of_model("new", created_at=300.5))
        between = await put(store, of_model("between", created_at=200.0), down=1)

        assert await listed(store, NEW) == [new, between, old]

    async def test_the_collection_has_no_time_and_is_not_in_it(self, store: Store) -> None:
        await put(store, collected("by hand"), up=1)

        assert await listed(store, NEW) == []

    async def test_a_long_list_is_cut_off(self, store: Store) -> None:
        sayings = [of_model(f"saying {number}", created_at=100.0 + number) for number in range(LONGEST_LIST + 2)]
        await store.put_sayings(sayings)

        found = await listed(store, NEW)

        assert found == [saying.saying_id for saying in reversed(sayings[2:])]


@each_order
class TestLists:
    async def test_without_sayings_they_are_empty(self, store: Store, listing: Listing) -> None:
        assert await listed(store, listing) == []

    async def test_a_list_is_of_a_service_or_a_model_or_both(self, store: Store, listing: Listing) -> None:
        s3 = await put(store, of_model("on S3"), up=1)
        s3_by_other = await put(store, of_model("on S3, too", OTHER_MODEL), up=1)
        sqs = await put(store, of_model("on SQS", service="Amazon SQS"), up=1)

        async def of(service: str | None = None, model: str | None = None) -> set[str]:
            return set(await listed(store, replace(listing, service=service, model=model)))

        assert await of() == {s3, s3_by_other, sqs}
        assert await of(service="Amazon S3") == {s3, s3_by_other}
        assert await of(model=MODEL) == {s3, sqs}
        assert await of(service="Amazon S3", model=OTHER_MODEL) == {s3_by_other}
        assert await of(service="AWS Lambda") == set()

    async def test_a_saying_on_two_services_is_in_the_lists_of_both(self, store: Store, listing: Listing) -> None:
        saying = replace(of_model("on both"), services=("Amazon S3", "Amazon SQS", "Amazon S3"))
        identity = await put(store, saying, up=1)

        found = [await listed(store, replace(listing, service=service)) for service in saying.services]

        assert found == [[identity]] * 3

    async def test_simulated_models_are_never_mixed_with_real_ones(self, store: Store, listing: Listing) -> None:
        real = await put(store, generated("real"), up=1)
        simulated = await put(store, generated("simulated", simulated=True), up=1)

        for model in (None, MODEL):
            own = replace(listing, model=model)
            assert await listed(store, own) == [real]
            assert await listed(store, replace(own, simulated=True)) == [simulated]

    async def test_a_withdrawn_saying_is_in_none_until_it_is_restored(self, store: Store, listing: Listing) -> None:
        identity = await put(store, of_model("withdrawn"), up=1)
        await store.withdraw_saying(Withdrawal(identity, "slander", WithdrawnBy.OPERATOR, CAST_AT))
        meanwhile = await listed(store, listing)

        await store.restore_saying(identity, at=CAST_AT)

        assert (meanwhile, await listed(store, listing)) == ([], [identity])

    async def test_ranking_again_changes_nothing(self, store: Store, listing: Listing) -> None:
        await put(store, of_model("one"), up=1)

        assert await listed(store, listing) == await listed(store, listing)
