"""The pool: equal shares for the models, the least-served saying first, nothing stale, nothing without bound."""

import random
import statistics
from collections import Counter
from collections.abc import Iterator

import pytest

from service.domain import Saying
from service.limits import Limits
from service.sayings.pool import (
    CATCH_UP_SERVES,
    LOW_WATER,
    MOST_AHEAD,
    MOST_IN_A_ROW,
    MOST_TIMES_THE_MEDIAN,
    ROW,
    SAYINGS_PER_MODEL,
    SERVES_BEFORE_STALE,
    SERVES_OF_ONE_CLIENT,
    Pool,
)
from service.sayings.wish import Wish, short_id
from tests.support import NAMES, Clock, model_saying

MODELS = list(NAMES)
TTL = 3_600.0
DAY = 86_400.0


@pytest.fixture(autouse=True)
def same_draws() -> None:
    random.seed(1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Pool:
    return Pool(ttl=TTL, clock=clock)


def sayings(model: str, count: int, *, created_at: float = 1_000_000.0, label: str = "") -> list[Saying]:
    return [model_saying(f"{label} {number} by {model}", model=model, created_at=created_at) for number in range(count)]


def served(pool: Pool, count: int) -> Iterator[Saying]:
    """The next `count` sayings, taken by clients that all count."""
    for number in range(count):
        if saying := pool.take(f"client {number // SERVES_OF_ONE_CLIENT}"):
            yield saying


def taken(pool: Pool, count: int) -> Counter[str]:
    """How many of the next `count` sayings each contributor wrote."""
    return Counter(saying.contributor for saying in served(pool, count))


def most_in_a_row(contributors: list[str]) -> int:
    """The most that one contributor has of any row."""
    rows = (contributors[start : start + ROW] for start in range(len(contributors) - ROW + 1))
    return max(max(Counter(row).values()) for row in rows)


def test_an_empty_pool_has_nothing(pool: Pool) -> None:
    assert pool.take() is None
    assert len(pool) == 0


def test_the_models_get_equal_shares_however_much_they_have_written(pool: Pool) -> None:
    for model, count in zip(MODELS, (4, 60, 7, 5), strict=True):
        pool.add(sayings(model, count))

    shares = taken(pool, 10_001)

    assert set(shares) == set(MODELS)
    assert max(shares.values()) - min(shares.values()) <= MOST_AHEAD


@pytest.mark.parametrize("before", [[], MODELS[:1], MODELS[:2], MODELS[:3]], ids=len)
def test_nobody_can_tell_who_comes_next_from_who_came_before(clock: Clock, before: list[str]) -> None:
    following: Counter[str] = Counter()
    for _ in range(1_000):
        pool = Pool(ttl=TTL, clock=clock)
        for model in MODELS:
            pool.add(sayings(model, 4))
        if [saying.contributor for saying in served(pool, len(before))] == before:
            following += taken(pool, 1)

    assert set(following) == set(MODELS)
    assert max(following.values()) < 0.5 * following.total()


def test_no_model_has_more_than_half_of_a_row(pool: Pool) -> None:
    for model in MODELS:
        pool.add(sayings(model, 9))

    contributors = [saying.contributor for saying in served(pool, 20_000)]

    assert most_in_a_row(contributors) <= MOST_IN_A_ROW


def test_within_a_model_the_least_served_saying_comes_first(pool: Pool) -> None:
    pool.add(sayings("gpt-4.1", 7))

    for serves in range(1, 6):
        round_of_all = Counter(saying.saying_id for _ in range(7) if (saying := pool.take()))
        assert len(round_of_all) == 7, f"not everything had its turn number {serves}"

    pool.add([model_saying("a new one")])
    newest = [saying.text for _ in range(5) if (saying := pool.take())]
    assert newest == ["a new one"] * 5


def test_a_model_that_comes_back_catches_up_with_half_of_the_serves_at_most(pool: Pool, clock: Clock) -> None:
    for model in MODELS[:3]:
        pool.add(sayings(model, 30, created_at=clock.now + 10 * TTL))
    pool.add(sayings(MODELS[3], 3))
    taken(pool, 40)
    clock.forward(TTL)
    taken(pool, 4_000)

    pool.add(sayings(MODELS[3], 30, created_at=clock.now))
    contributors = [saying.contributor for saying in served(pool, 1_000)]

    assert most_in_a_row(contributors) <= MOST_IN_A_ROW
    assert abs(Counter(contributors)[MODELS[3]] - (1_000 + 3 * CATCH_UP_SERVES) // 4) <= MOST_AHEAD
    assert Counter(contributors[:100])[MODELS[3]] > 35


def test_after_it_has_caught_up_a_model_gets_its_share(pool: Pool, clock: Clock) -> None:
    pool.add(sayings("gpt-4.1", 1, created_at=clock.now + 10 * TTL))
    pool.add(sayings("gpt-4.1-mini", 1))
    clock.forward(TTL)
    taken(pool, 5_000)

    pool.add(sayings("gpt-4.1-mini", 1, created_at=clock.now))
    taken(pool, 10 * CATCH_UP_SERVES)

    shares = taken(pool, 1_001)
    assert abs(shares["gpt-4.1"] - shares["gpt-4.1-mini"]) <= MOST_AHEAD + 1


def test_no_saying_is_shown_so_much_more_often_than_the_median(pool: Pool) -> None:
    for model, count in zip(MODELS, (1, 60, 60, 60), strict=True):
        pool.add(sayings(model, count))

    shown = Counter(saying.saying_id for saying in served(pool, 10_000))

    assert max(shown.values()) <= MOST_TIMES_THE_MEDIAN * statistics.median_low(shown.values())
    assert len(shown) == 181


def test_a_shelf_that_is_shown_too_often_is_served_again_after_a_round(pool: Pool, clock: Clock) -> None:
    for model, count in zip(MODELS, (3, 60, 60, 60), strict=True):
        pool.add(sayings(model, count))
    taken(pool, 500)

    pool.add(sayings(MODELS[0], 3, created_at=clock.now, label="fresh"))

    assert taken(pool, 60)[MODELS[0]] > 10


def test_one_shelf_alone_is_never_shown_too_often(pool: Pool) -> None:
    pool.add(sayings("gpt-4.1", 1))

    assert taken(pool, 1_000) == {"gpt-4.1": 1_000}


def test_a_round_is_asked_for_before_a_saying_is_shown_too_often(pool: Pool) -> None:
    for model, count in zip(MODELS, (LOW_WATER, 60, 60, 60), strict=True):
        pool.add(sayings(model, count))
    lacking = []

    shown: Counter[str] = Counter()
    for saying in served(pool, 1_000):
        shown[saying.saying_id] += 1
        if pool.lacks(saying.contributor):
            lacking.append((saying.contributor, shown[saying.saying_id]))

    assert lacking[0][0] == MODELS[0]
    assert lacking[0][1] < MOST_TIMES_THE_MEDIAN


def test_a_visitor_is_served_everything_once_before_anything_comes_again(pool: Pool) -> None:
    for model, count in zip(MODELS, (3, 20, 7, 1), strict=True):
        pool.add(sayings(model, count))
    seen: set[int] = set()

    while saying := pool.take("ann", Wish(seen)):
        seen.add(short_id(saying.saying_id))

    assert len(seen) == 31
    assert pool.take("ann") is not None


def test_of_what_a_visitor_has_not_seen_the_least_served_comes_first(pool: Pool) -> None:
    warm = sayings("gpt-4.1", 4)
    pool.add(warm[:2])
    taken(pool, 10)
    pool.add(warm[2:])

    saying = pool.take("ann", Wish({short_id(each.saying_id) for each in warm[2:3]}))

    assert saying == warm[3]


def test_only_sayings_of_the_service_that_is_asked_for_are_taken(pool: Pool) -> None:
    pool.add(sayings("gpt-4.1", 5))
    pool.add([model_saying("about two", services=("AWS Lambda", "Amazon SQS"))])

    found = {saying.text for _ in range(5) if (saying := pool.take("ann", Wish(service="Amazon SQS")))}

    assert found == {"about two"}
    assert pool.take("ann", Wish(service="Amazon EC2")) is None


def test_asking_for_a_service_does_not_shift_the_shares(pool: Pool) -> None:
    for model in MODELS:
        pool.add(sayings(model, 9))
    pool.add([model_saying("on queues", model=MODELS[0], services=("Amazon SQS",))])
    for _ in range(100):
        pool.take("ann", Wish(service="Amazon SQS"))

    shares = taken(pool, 400)

    assert max(shares.values()) - min(shares.values()) <= MOST_AHEAD


def test_it_counts_the_models_that_have_sayings(pool: Pool, clock: Clock) -> None:
    for model in MODELS[:2]:
        pool.add(sayings(model, 2, created_at=clock.now))
    before = pool.contributors

    pool.drop(frozenset(saying.saying_id for saying in sayings(MODELS[0], 2)))

    assert (before, pool.contributors) == (2, 1)


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
