"""The pool: equal shares for the models, the least-served saying first, nothing stale, nothing without bound."""

from collections import Counter

import pytest

from service.domain import Saying
from service.limits import Limits
from service.sayings.pool import (
    CATCH_UP_SERVES,
    LOW_WATER,
    SAYINGS_PER_MODEL,
    SERVES_BEFORE_STALE,
    SERVES_OF_ONE_CLIENT,
    Pool,
)
from tests.support import NAMES, Clock, model_saying

MODELS = list(NAMES)
TTL = 3_600.0
DAY = 86_400.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Pool:
    return Pool(ttl=TTL, clock=clock)


def sayings(model: str, count: int, *, created_at: float = 1_000_000.0, label: str = "") -> list[Saying]:
    return [model_saying(f"{label} {number} by {model}", model=model, created_at=created_at) for number in range(count)]


def taken(pool: Pool, count: int) -> Counter[str]:
    """How many of the next `count` sayings each contributor wrote."""
    clients = (f"client {number // SERVES_OF_ONE_CLIENT}" for number in range(count))
    return Counter(saying.contributor for client in clients if (saying := pool.take(client)))


def test_an_empty_pool_has_nothing(pool: Pool) -> None:
    assert pool.take() is None
    assert len(pool) == 0


def test_the_models_get_equal_shares_however_much_they_have_written(pool: Pool) -> None:
    for model, count in zip(MODELS, (3, 60, 7, 1), strict=True):
        pool.add(sayings(model, count))

    shares = taken(pool, 10_001)

    assert set(shares) == set(MODELS)
    assert max(shares.values()) - min(shares.values()) <= 1


def test_which_of_the_equal_models_comes_next_is_left_to_chance(clock: Clock) -> None:
    first = set()
    for _ in range(100):
        pool = Pool(ttl=TTL, clock=clock)
        for model in MODELS:
            pool.add(sayings(model, 1))
        first |= set(taken(pool, 1))

    assert first == set(MODELS)


def test_within_a_model_the_least_served_saying_comes_first(pool: Pool) -> None:
    pool.add(sayings("gpt-4.1", 7))

    for serves in range(1, 6):
        round_of_all = Counter(saying.saying_id for _ in range(7) if (saying := pool.take()))
        assert len(round_of_all) == 7, f"not everything had its turn number {serves}"

    pool.add([model_saying("a new one")])
    newest = [saying.text for _ in range(5) if (saying := pool.take())]
    assert newest == ["a new one"] * 5


def test_a_model_that_comes_back_catches_up_but_only_so_far(pool: Pool, clock: Clock) -> None:
    pool.add(sayings("gpt-4.1", 1, created_at=clock.now + 10 * TTL))
    pool.add(sayings("gpt-4.1-mini", 1))
    clock.forward(TTL)
    taken(pool, 5_000)

    pool.add(sayings("gpt-4.1-mini", 1, created_at=clock.now))

    assert taken(pool, CATCH_UP_SERVES - 1) == {"gpt-4.1-mini": CATCH_UP_SERVES - 1}
    shares = taken(pool, 1_001)
    assert abs(shares["gpt-4.1"] - shares["gpt-4.1-mini"]) <= 3


@pytest.mark.parametrize("order", [MODELS, MODELS[::-1]], ids=["the new one last", "the new one first"])
def test_after_everything_went_stale_catching_up_is_bounded(pool: Pool, clock: Clock, order: list[str]) -> None:
    for model in MODELS[:3]:
        pool.add(sayings(model, 1))
    taken(pool, 3_000)
    clock.forward(TTL)
    assert pool.take() is None

    for model in order:
        pool.add(sayings(model, 1, created_at=clock.now))

    assert taken(pool, 1_000)[MODELS[3]] <= 250 + CATCH_UP_SERVES


def test_a_saying_leaves_when_its_time_is_over(pool: Pool, clock: Clock) -> None:
    pool.add(sayings("gpt-4.1", 2, created_at=clock.now))
    pool.add(sayings("gpt-4.1", 1, created_at=clock.now + 60, label="younger"))

    clock.forward(TTL)

    assert {saying.text for _ in range(9) if (saying := pool.take())} == {"younger 0 by gpt-4.1"}
    assert len(pool) == 1
    clock.forward(60)
    assert pool.take() is None
    assert len(pool) == 0


def test_what_is_stale_known_or_from_the_collection_is_not_added(pool: Pool, clock: Clock) -> None:
    fresh = model_saying("fresh", created_at=clock.now)
    stale = model_saying("stale", created_at=clock.now - TTL)
    collected = Saying("0" * 32, "by hand", ("Amazon S3",), "From the collection")

    assert pool.add([fresh, stale, collected, fresh]) == 1
    assert pool.ids == {fresh.saying_id}


def test_beyond_the_bound_the_oldest_leave(pool: Pool, clock: Clock) -> None:
    pool.add(
        model_saying(f"number {age}", created_at=clock.now - age) for age in reversed(range(SAYINGS_PER_MODEL + 5))
    )
    pool.add([model_saying("of another model", model="gpt-4.1-mini", created_at=clock.now - 1_000)])

    assert len(pool) == SAYINGS_PER_MODEL + 1
    served = {saying.text for _ in range(2 * SAYINGS_PER_MODEL) if (saying := pool.take())}
    assert served == {f"number {age}" for age in range(SAYINGS_PER_MODEL)} | {"of another model"}


def test_refilling_a_full_pool_from_the_same_store_changes_nothing(pool: Pool, clock: Clock) -> None:
    stored = [model_saying(f"number {age}", created_at=clock.now - age) for age in range(SAYINGS_PER_MODEL + 5)]
    pool.add(stored[:SAYINGS_PER_MODEL])
    taken(pool, SERVES_BEFORE_STALE * SAYINGS_PER_MODEL)

    assert pool.add(stored) == 0
    assert pool.lacks("gpt-4.1")


def test_a_contributor_lacks_sayings_when_few_are_fresh(pool: Pool, clock: Clock) -> None:
    assert pool.lacks("gpt-4.1")

    pool.add(sayings("gpt-4.1", LOW_WATER - 1, created_at=clock.now + 60))
    assert pool.lacks("gpt-4.1")

    pool.add([model_saying("one more", created_at=clock.now)])
    assert not pool.lacks("gpt-4.1")

    clock.forward(TTL)
    assert pool.lacks("gpt-4.1")


def test_a_contributor_lacks_sayings_when_they_have_been_shown_often(pool: Pool) -> None:
    pool.add(sayings("gpt-4.1", LOW_WATER))

    taken(pool, SERVES_BEFORE_STALE * LOW_WATER - 1)
    assert not pool.lacks("gpt-4.1")

    taken(pool, 1)
    assert pool.lacks("gpt-4.1")


def test_one_client_alone_makes_no_saying_stale(pool: Pool) -> None:
    pool.add(sayings("gpt-4.1", 2 * LOW_WATER))

    for _ in range(100 * SERVES_BEFORE_STALE * LOW_WATER):
        pool.take("a client that never stops")

    assert not pool.lacks("gpt-4.1")


def test_a_clients_serves_count_again_the_next_day(clock: Clock) -> None:
    pool = Pool(ttl=2 * DAY, clock=clock)
    pool.add(sayings("gpt-4.1", 2 * LOW_WATER, created_at=clock.now))
    lacks = []

    for _ in range(2):
        for _ in range(2 * SERVES_OF_ONE_CLIENT):
            pool.take("ann")
        lacks.append(pool.lacks("gpt-4.1"))
        clock.forward(DAY)
        pool.lacks("gpt-4.1")

    assert lacks == [False, True]


def test_no_more_clients_are_remembered_than_there_is_room_for(clock: Clock) -> None:
    pool = Pool(ttl=TTL, clock=clock, limits=Limits(remembered_addresses=100))
    pool.add(sayings("gpt-4.1", LOW_WATER))

    for number in range(1_000):
        pool.take(f"client {number}")
        pool.lacks("gpt-4.1")

    assert len(pool._clients) <= 101


def test_a_simulated_model_is_another_contributor(pool: Pool) -> None:
    pool.add(model_saying(f"simulated {number}", simulated=True) for number in range(LOW_WATER))

    assert pool.lacks("gpt-4.1")
    assert not pool.lacks("gpt-4.1 (simulated)")


def test_what_is_kept_out_is_dropped_and_not_added_again(pool: Pool) -> None:
    bad, good = sayings(MODELS[0], 2)
    pool.add([bad, good])

    pool.keep_out(frozenset({bad.saying_id}))

    assert pool.add([bad]) == 0
    assert {pool.take() for _ in range(5)} == {good}
    assert pool.ids == {good.saying_id}
    assert pool.size_of(MODELS[0]) == 1


def test_what_is_no_longer_kept_out_may_be_added(pool: Pool) -> None:
    [bad] = sayings(MODELS[0], 1)
    pool.keep_out(frozenset({bad.saying_id}))

    pool.keep_out(frozenset())

    assert pool.add([bad]) == 1


def test_dropping_leaves_the_least_served_first(pool: Pool) -> None:
    warm = sayings(MODELS[0], 9)
    pool.add(warm)
    taken(pool, 4)

    pool.drop({saying.saying_id for saying in warm[::2]})

    left = [pool.take() for _ in range(4 * 4)]
    assert set(left) == set(warm[1::2])
    assert pool.take() is not None


def test_the_last_saying_dropped_leaves_an_empty_pool(pool: Pool) -> None:
    [bad] = sayings(MODELS[0], 1)
    pool.add([bad])

    pool.drop({bad.saying_id, "unknown"})

    assert pool.take() is None
    assert len(pool) == 0
