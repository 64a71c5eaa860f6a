"""The report on votes that went through the store is that on the same votes in the groups of the intervals."""

import random

import pytest

from service.domain import Attribution, FeedbackType, Vote
from service.statistics.intervals import design_effect, share_interval
from service.statistics.report import first_hour, report
from service.statistics.samples import sample
from service.store.base import Cell, Counts
from service.store.groups import item_group, voter_group
from service.store.sqlite import SqliteStore
from tests.fakes import the_line_up
from tests.support import NAMES, model_saying

pytestmark = pytest.mark.slow

NOW = 1_800_000_500.0
SAYINGS, VOTERS = 40, 50


async def test_the_store_counts_votes_into_the_groups_of_the_intervals(store: SqliteStore) -> None:
    chance = random.Random(4)
    sayings = [model_saying(f"{number} by {model}", model=model) for model in NAMES for number in range(SAYINGS)]
    voters = {f"voter {number}": chance.gauss(0, 0.25) for number in range(VOTERS)}
    await store.put_sayings(sayings)
    expected: dict[str, dict[Cell, Counts]] = {model: {} for model in NAMES}

    cast = chance.sample([(saying, voter) for saying in sayings for voter in voters], 600)
    for saying, voter in cast:
        up = chance.random() < 0.6 + voters[voter]
        opinion = FeedbackType.POSITIVE if up else FeedbackType.NEGATIVE
        await store.vote(Vote(saying.saying_id, voter, opinion, NOW, Attribution.BLIND, models=len(NAMES)))
        cells, cell = expected[saying.contributor], (voter_group(voter), item_group(saying.saying_id))
        before = cells.get(cell, Counts())
        cells[cell] = Counts(before.votes + 1, before.upvotes + up)
    aggregates = await store.aggregates(since_hour=first_hour(NOW))

    for model in report(aggregates, the_line_up(), simulated=False, now=NOW).models:
        votes = sample(expected[model.model])
        assert model.recent.approval == share_interval(votes, named=True)
        assert model.recent.design_effect == design_effect(votes)
        assert model.voters == len({voter for about, voter in cast if about.contributor == model.model})
        assert model.sayings == len({about.saying_id for about, _ in cast if about.contributor == model.model})
