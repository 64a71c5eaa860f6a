"""Models that are compared must be shown equally often: their shares of the serves pass a test for equality."""

import random
from collections import Counter

import pytest

from service.sayings.flow import Flow
from service.sayings.pool import Pool
from service.sayings.serve_counter import ServeCounter
from telemetry.events import SILENCE
from tests.fakes import FakeGateway, FakeStore, the_models
from tests.support import NAMES, TOPICS, Clock, model_saying


async def serves(count: int, *, live_every: int) -> Counter[str]:
    """How often each model was served, from a pool in which they have unequal numbers of sayings, or live."""
    store = FakeStore()
    pool = Pool(ttl=1e12, clock=Clock())
    for model, sayings in zip(NAMES, (4, 60, 7, 5), strict=True):
        pool.add(model_saying(f"{number} by {model}", model=model) for number in range(sayings))
    flow = Flow(
        pool=pool,
        store=store.as_store(),
        gateway=FakeGateway().as_gateway(),
        serves=ServeCounter(store.as_store(), SILENCE),
        listener=SILENCE,
        topics=TOPICS,
        models=the_models(),
        live_every=live_every,
    )
    return Counter([(await flow.next_saying()).saying.contributor for _ in range(count)])


def is_equal(shares: Counter[str]) -> bool:
    """Whether chance alone explains the differences; one in a thousand fair samples is taken for unfair."""
    expected = shares.total() / len(NAMES)
    return sum((shares[model] - expected) ** 2 / expected for model in NAMES) < 16.27  # three degrees of freedom


@pytest.mark.parametrize("live_every", [0, 1, 2, 10])
async def test_the_models_are_served_equally_often_from_the_pool_and_live(live_every: int) -> None:
    random.seed(live_every)

    shares = await serves(6_000, live_every=live_every)

    assert sum(shares[model] for model in NAMES) == 6_000
    assert is_equal(shares)
