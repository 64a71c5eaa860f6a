"""A saying that one process takes down is shown by no process of the fleet, on every backend."""

import time

import pytest

from service.domain import Saying, WithdrawnBy
from service.limits import DAY_SECONDS, Quotas
from service.sayings.flow import Flow
from service.sayings.pool import Pool
from service.sayings.serve_counter import ServeCounter
from service.sayings.takedowns import Takedowns
from service.store.base import Store
from tests.fakes import FakeGateway, the_models
from tests.store.conftest import OpenStore
from tests.support import TOPICS, RecordingListener, model_saying

BAD = model_saying("words to take down", created_at=time.time())
GOOD = model_saying("words that stay", created_at=time.time())


class Process:
    """A process of the fleet with both sayings in its pool."""

    def __init__(self, store: Store, events: RecordingListener) -> None:
        self.pool = Pool(ttl=DAY_SECONDS)
        self.pool.add([BAD, GOOD])
        self.takedowns = Takedowns(store, self.pool, events)
        self.flow = Flow(
            pool=self.pool,
            store=store,
            gateway=FakeGateway().as_gateway(),
            serves=ServeCounter(store, events),
            listener=events,
            topics=TOPICS,
            models=the_models(),
            withdrawn=self.takedowns,
        )

    async def served(self, count: int = 20) -> set[Saying]:
        return {(await self.flow.next_saying()).saying for _ in range(count)} & {BAD, GOOD}


@pytest.fixture
async def fleet(open_store: OpenStore, events: RecordingListener) -> list[Process]:
    processes = [Process(await open_store(Quotas()), events) for _ in range(2)]
    await (await open_store(Quotas())).put_sayings([BAD, GOOD])
    return processes


async def test_no_process_shows_it_after_its_next_look(fleet: list[Process]) -> None:
    here, there = fleet
    before = [await process.served() for process in fleet]

    await here.takedowns.withdraw(BAD.saying_id, reason="slander", by=WithdrawnBy.OPERATOR)
    await there.takedowns.refresh()

    assert before == [{BAD, GOOD}] * 2
    assert [await process.served() for process in fleet] == [{GOOD}] * 2


async def test_every_process_shows_it_again_once_restored(fleet: list[Process]) -> None:
    here, there = fleet
    await here.takedowns.withdraw(BAD.saying_id, reason="slander", by=WithdrawnBy.OPERATOR)
    await there.takedowns.refresh()

    await there.takedowns.restore(BAD.saying_id)
    await here.takedowns.refresh()

    assert [process.pool.add([BAD]) for process in fleet] == [1, 1]
    assert [await process.served() for process in fleet] == [{BAD, GOOD}] * 2
