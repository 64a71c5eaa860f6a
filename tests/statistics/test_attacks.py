"""How far somebody gets who wants one model to lead, through the store and its quotas, beside honest votes."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from service.domain import Attribution, FeedbackType, NetworkDay, Saying, Standing, Vote
from service.limits import DEFAULT_QUOTAS
from service.resilience.networks import networks
from service.statistics.history import histories
from service.statistics.samples import NOTHING, Sample, total
from service.statistics.verdicts import Ranking, Record, ranking
from service.store.base import Counts
from service.store.quotas import is_implausible
from service.store.sqlite import SqliteStore
from tests.statistics.worlds import MEDIUM, STRONG, THEIR_SHARE, show, steady, voted
from tests.store.builders import effect
from tests.support import NAMES, model_saying

pytestmark = pytest.mark.slow

NOW, DAY = 1_800_000_500.0, "2027-01-15"
MODELS = tuple(NAMES)
WORST = MODELS[3]
APPROVALS = [0.70, 0.66, 0.60, 0.55]


@pytest.fixture
async def sayings(store: SqliteStore) -> Sequence[Saying]:
    """Sayings of the worst model."""
    found = [model_saying(f"{number} by {WORST}", model=WORST) for number in range(40)]
    await store.put_sayings(found)
    return found


async def praise(
    store: SqliteStore, sayings: Sequence[Saying], address: str, attribution: Attribution | None = Attribution.BLIND
) -> Counter[Standing | None]:
    """Upvote all these sayings from one address, each with another cookie; count the standings of the votes."""
    found = tuple(NetworkDay(f"{DAY}/{network}", share) for network, share in networks(address))
    votes = (
        Vote(saying.saying_id, f"{address} {n}", FeedbackType.POSITIVE, NOW, attribution, found, len(MODELS))
        for n, saying in enumerate(sayings)
    )
    results = [effect(await store.vote(vote)) for vote in votes]
    return Counter(result.standing for result in results if result is not None)


async def counted(store: SqliteStore) -> Sample:
    """The votes on the worst model that count."""
    known = histories(await store.aggregates(since_hour="2027-01-15T00"))
    return known[WORST].blind if WORST in known else NOTHING


def honest(votes: int, seed: int = 1) -> list[Sample]:
    """So many honest votes on each of the models."""
    days = voted(MEDIUM, steady(APPROVALS, 1), votes, np.random.default_rng(seed))
    return [days.sample(model, 0, 1) for model in range(len(MODELS))]


def ranked(samples: Sequence[Sample]) -> Ranking:
    return ranking({name: Record(one, one, NOTHING, 500, 300, 1) for name, one in zip(MODELS, samples, strict=True)})


def with_attack(samples: Sequence[Sample], attack: Sample) -> list[Sample]:
    return [*samples[:3], total([samples[3], attack])]


async def test_votes_without_tokens_do_not_count(store: SqliteStore, sayings: Sequence[Saying]) -> None:
    standings = await praise(store, sayings, "192.0.2.1", attribution=None)

    assert standings == {Standing.UNVERIFIED: len(sayings)}
    assert (await counted(store)).votes == 0


@pytest.mark.parametrize("each", [40, 3])
async def test_seven_addresses_of_a_network_move_no_verdict(
    store: SqliteStore, sayings: Sequence[Saying], each: int
) -> None:
    samples = honest(2_500)

    for number in range(7):
        await praise(store, sayings[:each], f"2001:db8:1:{number}::/64")
    attack = await counted(store)

    show(f"7 addresses of a /48, {7 * each} upvotes: {attack.votes} count")
    assert attack.votes == 0
    assert ranked(with_attack(samples, attack)).standings == ranked(samples).standings


async def test_a_hundred_addresses_that_flood_are_set_aside(store: SqliteStore, sayings: Sequence[Saying]) -> None:
    for number in range(100):
        await praise(store, sayings[:11], f"198.51.100.{number}")
    attack = await counted(store)

    show(f"100 addresses, 1,100 upvotes: {attack.votes} count")
    assert attack.votes == 0


def test_a_hundred_addresses_that_stay_under_the_quota_move_the_worst_model_little() -> None:
    votes = 100 * DEFAULT_QUOTAS.address_model_votes
    moved = {honest: (0.55 * honest + votes) / (honest + votes) - 0.55 for honest in (2_500, 10_000)}

    show(f"100 addresses that know the quota: {votes} votes count, which moves the worst model by {moved}")
    assert moved[10_000] < 0.02


def test_honest_addresses_are_seldom_taken_for_dishonest_ones() -> None:
    days, chance = 1_500, np.random.default_rng(8)

    flagged = sum(is_flagged(FEWEST + chance.geometric(1 / A_DAY) - 1, chance) for _ in range(days))

    regulars = THEIR_SHARE / A_DAY / (THEIR_SHARE / A_DAY + (1 - THEIR_SHARE) / 2)
    busy = regulars * (1 - 1 / A_DAY) ** (FEWEST - 1)
    show(f"of the days of honest addresses {busy:.3f} have {FEWEST} votes, of which {flagged} in {days} are set aside")
    assert busy * flagged / days <= 1e-4


# No pattern of fewer votes is rare enough. A regular gives 12 blind votes on a day on average, anybody else two.
FEWEST, A_DAY = 11, 12


def is_flagged(votes: int, chance: np.random.Generator) -> bool:
    """Whether the votes of a day are taken for dishonest at any time, of somebody with strong tastes.

    Every other voter mostly votes on what they like.
    """
    logits = [STRONG.logit(approval) for approval in APPROVALS]
    likes = 1 / (1 + np.exp(-np.array(logits) - chance.normal(0, 1.5) - chance.normal(0, 1, 4)))
    votes_on_dislikes = chance.choice([1.0, 0.1])
    given = {name: Counts() for name in MODELS}
    while votes:
        model = chance.integers(4)
        is_liked = bool(chance.random() < likes[model])
        if is_liked or chance.random() < votes_on_dislikes:
            before = given[MODELS[model]]
            given[MODELS[model]] = Counts(before.votes + 1, before.upvotes + is_liked)
            votes -= 1
            if sum(counts.votes for counts in given.values()) >= FEWEST and is_implausible(given, len(MODELS)):
                return True
    return False
