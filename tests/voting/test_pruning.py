"""The daily pass goes on for a while, is continued later, and survives a store that fails."""

from collections.abc import AsyncIterator
from pathlib import Path

from service.errors import StoreError
from service.limits import DAY_SECONDS, Retention, Timeouts
from service.store.base import Store
from service.store.retention import Pruned
from service.store.sqlite import SqliteStore
from service.voting.pruning import Pruning
from telemetry.events import DataPruned, DependencyFailed
from tests.store.builders import CAST_AT, generated, network, vote
from tests.support import Clock, RecordingListener


class SlowStore:
    """A store whose pass has many parts, each of which takes ten seconds; it may fail after some."""

    def __init__(self, ticks: Clock, *, fails_after: int = 100) -> None:
        self._ticks = ticks
        self._fails_after = fails_after
        self.closed = False
        self.pruned_at: float | None = None

    async def time(self) -> float:
        return CAST_AT

    async def prune(self, keep: Retention, *, now: float) -> AsyncIterator[Pruned]:
        self.pruned_at = now
        try:
            for part in range(100):
                if part == self._fails_after:
                    raise StoreError("It is broken.")
                self._ticks.forward(10)
                yield Pruned(voters=1)
        finally:
            self.closed = True


async def test_a_pass_is_reported_with_what_it_has_forgotten(tmp_path: Path, events: RecordingListener) -> None:
    store = await SqliteStore.open(tmp_path / "sayings.db", clock=Clock(CAST_AT + 40 * DAY_SECONDS))
    saying = generated("a saying")
    await store.put_sayings([saying])
    await store.vote(vote(saying, networks=[network()]))

    finished = await Pruning(store, events).run()
    await store.close()

    assert finished
    assert events.of(DataPruned) == [DataPruned(1, 0, 0, 0, finished=True)]


async def test_end_dates_go_by_the_clock_of_the_store(events: RecordingListener) -> None:
    ticks = Clock()
    slow = SlowStore(ticks)

    await _pruning(slow, events, ticks).run()

    assert slow.pruned_at == CAST_AT


async def test_a_long_pass_is_interrupted(events: RecordingListener) -> None:
    ticks = Clock()
    slow = SlowStore(ticks)

    finished = await _pruning(slow, events, ticks).run()

    assert (finished, slow.closed) == (False, True)
    assert events.of(DataPruned) == [DataPruned(0, 3, 0, 0, finished=False)]


async def test_a_failure_of_the_store_is_reported_and_leaves_work(events: RecordingListener) -> None:
    ticks = Clock()

    finished = await _pruning(SlowStore(ticks, fails_after=1), events, ticks).run()

    assert not finished
    assert [(event.dependency, event.operation) for event in events.of(DependencyFailed)] == [("store", "prune")]
    assert events.of(DataPruned) == [DataPruned(0, 1, 0, 0, finished=False)]


def _pruning(store: SlowStore, events: RecordingListener, ticks: Clock) -> Pruning:
    as_store: Store = store  # type: ignore[assignment]
    return Pruning(as_store, events, timeouts=Timeouts(pruning=30.0), ticks=ticks)
