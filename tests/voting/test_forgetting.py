"""A voter who asks is forgotten by the clock of the store, because a pass on another machine looks for the request."""

from service.limits import DAY_SECONDS, Retention
from service.sayings.voter_memory import VoterMemory
from service.store.base import Store
from service.voting.forgetting import Forgetting, Promise
from telemetry.events import SILENCE

NOW = 1_800_000_000.0


class StoreOfRequests:
    """A store that leaves everything to the next pass and notes when a voter asked."""

    def __init__(self) -> None:
        self.asked: dict[str, float] = {}

    async def time(self) -> float:
        return NOW

    async def forget(self, voter: str, *, asked_at: float) -> bool:
        self.asked[voter] = asked_at
        return False


async def test_a_request_and_its_promise_go_by_the_clock_of_the_store() -> None:
    store = StoreOfRequests()
    as_store: Store = store  # type: ignore[assignment]

    promise = await Forgetting(as_store, VoterMemory(), SILENCE, retention=Retention(request_days=3)).forget("ann")

    assert store.asked == {"ann": NOW}
    assert promise == Promise(is_kept=False, before=NOW + 3 * DAY_SECONDS)
