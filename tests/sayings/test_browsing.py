"""Pages of lists, and what is not shown on them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.catalogue.collection import collection
from service.catalogue.topics import load_topics
from service.domain import FeedbackType, Saying, SayingOrder, Vote
from service.errors import InvalidRequest, SayingNotFound, SayingsUnavailable, SayingWithdrawn, StoreError
from service.limits import Timeouts
from service.sayings.browsing import PAGE_SAYINGS, Browsing
from service.store.base import LONGEST_LIST, Listing, StoredSaying
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed
from tests.fakes import the_catalogue
from tests.support import RecordingListener, model_saying

TOP, NEW = SayingOrder.TOP, SayingOrder.NEW


class CountedStore(SqliteStore):
    """A store that counts what is read of it, and fails when there is trouble."""

    reads = 0
    trouble: StoreError | None = None

    async def listed_ids(self, listing: Listing) -> list[str]:
        self._count()
        return await super().listed_ids(listing)

    async def stored_sayings(self, saying_ids: object) -> list[StoredSaying]:
        self._count()
        return await super().stored_sayings(saying_ids)  # type: ignore[arg-type]

    def _count(self) -> None:
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountedStore]:
    store = await CountedStore.open(tmp_path / "sayings.db")
    assert isinstance(store, CountedStore)
    yield store
    await store.close()


@pytest.fixture
def withdrawn() -> set[str]:
    return set()


@pytest.fixture
def browsing(store: CountedStore, withdrawn: set[str], events: RecordingListener) -> Browsing:
    """Keeps no result, so that each page shows what is stored by then."""
    return _browsing(store, withdrawn, events, kept=0.0)


def _browsing(store: CountedStore, withdrawn: set[str], events: RecordingListener, *, kept: float) -> Browsing:
    return Browsing(
        store,
        load_topics(),
        the_catalogue(),
        events,
        simulated=False,
        withdrawn=withdrawn,
        timeouts=Timeouts(saying_read=60.0, shared_read=kept),
    )


async def put(store: SqliteStore, number: int) -> list[Saying]:
    """Store so many sayings; the newest comes first."""
    sayings = [model_saying(f"The saying number {at}.", created_at=1e9 + at) for at in range(number)]
    await store.put_sayings(sayings)
    return sayings[::-1]


async def vote(store: SqliteStore, saying: Saying, opinion: FeedbackType = FeedbackType.POSITIVE) -> None:
    await store.vote(Vote(saying.saying_id, "ann", opinion, 2e9))


async def ids_of_all_pages(browsing: Browsing, order: SayingOrder) -> list[list[str]]:
    pages, after = [], ""
    while True:
        page = await browsing.page(order, after=after)
        pages.append([stored.saying.saying_id for stored in page.sayings])
        if page.next is None:
            return pages
        after = page.next


class TestPages:
    async def test_every_saying_comes_once(self, browsing: Browsing, store: CountedStore) -> None:
        sayings = await put(store, 2 * PAGE_SAYINGS + 1)

        pages = await ids_of_all_pages(browsing, NEW)

        assert [len(page) for page in pages] == [PAGE_SAYINGS, PAGE_SAYINGS, 1]
        assert [each for page in pages for each in page] == [saying.saying_id for saying in sayings]

    async def test_a_full_last_page_has_no_next(self, browsing: Browsing, store: CountedStore) -> None:
        await put(store, PAGE_SAYINGS)

        assert [len(page) for page in await ids_of_all_pages(browsing, NEW)] == [PAGE_SAYINGS]

    async def test_an_empty_list_is_one_empty_page(self, browsing: Browsing) -> None:
        assert await ids_of_all_pages(browsing, TOP) == [[]]

    async def test_the_longest_list_has_ten_pages(self, browsing: Browsing, store: CountedStore) -> None:
        await put(store, LONGEST_LIST + 5)

        pages = await ids_of_all_pages(browsing, NEW)

        assert [len(page) for page in pages] == [PAGE_SAYINGS] * 10

    async def test_what_moves_meanwhile_neither_repeats_nor_is_lost(
        self, browsing: Browsing, store: CountedStore
    ) -> None:
        sayings = await put(store, PAGE_SAYINGS + 6)
        for saying in sayings:
            await vote(store, saying)
        first = await browsing.page(TOP)
        shown = [stored.saying for stored in first.sayings]

        await vote(store, shown[0], FeedbackType.NEGATIVE)
        second = await browsing.page(TOP, after=first.next or "")

        rest = {stored.saying.saying_id for stored in second.sayings}
        assert rest == {saying.saying_id for saying in sayings} - {saying.saying_id for saying in shown}
        assert second.next is None

    async def test_a_cursor_of_another_list_is_harmless(self, browsing: Browsing, store: CountedStore) -> None:
        await put(store, PAGE_SAYINGS + 1)
        cursor = (await browsing.page(NEW)).next or ""

        assert len((await browsing.page(TOP, after=cursor)).sayings) == 0
        assert len((await browsing.page(NEW, service="Amazon S3", after="0" * 8)).sayings) == PAGE_SAYINGS

    @pytest.mark.parametrize("wanted", [{"service": "Amazon Teleport"}, {"model": "gpt-9"}])
    async def test_what_is_unknown_is_refused(self, browsing: Browsing, wanted: dict[str, str]) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await browsing.page(TOP, **wanted)

        assert list(refused.value.details) == [f"{next(iter(wanted))}: unknown"]


class TestWhatIsNotShown:
    async def test_a_withdrawn_saying_is_gone_at_once(
        self, store: CountedStore, withdrawn: set[str], events: RecordingListener
    ) -> None:
        browsing = _browsing(store, withdrawn, events, kept=60.0)
        [other, saying] = await put(store, 2)
        await browsing.page(NEW)
        await browsing.saying(saying.saying_id)

        withdrawn.add(saying.saying_id)

        assert [stored.saying for stored in (await browsing.page(NEW)).sayings] == [other]
        with pytest.raises(SayingWithdrawn):
            await browsing.saying(saying.saying_id)

    async def test_a_saying_that_has_lost_its_votes_is_not_among_the_best(
        self, store: CountedStore, browsing: Browsing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [saying] = await put(store, 1)

        async def as_an_hour_ago(_: Listing) -> list[str]:
            return [saying.saying_id, "0" * 32]

        monkeypatch.setattr(store, "listed_ids", as_an_hour_ago)

        assert (await browsing.page(TOP)).sayings == []
        assert [stored.saying for stored in (await browsing.page(NEW)).sayings] == [saying]


class TestOneSaying:
    async def test_it_comes_with_its_counters(self, store: CountedStore, browsing: Browsing) -> None:
        [saying] = await put(store, 1)
        await vote(store, saying)

        assert await browsing.saying(saying.saying_id) == StoredSaying(saying, 1, 0)

    async def test_one_that_is_not_stored_is_not_found(self, browsing: Browsing) -> None:
        with pytest.raises(SayingNotFound):
            await browsing.saying("0" * 32)

    async def test_the_collection_is_always_there(self, browsing: Browsing) -> None:
        saying = collection()[0]

        assert await browsing.saying(saying.saying_id) == StoredSaying(saying, 0, 0)


class TestReads:
    async def test_a_popular_page_is_read_once_in_a_while(
        self, store: CountedStore, withdrawn: set[str], events: RecordingListener
    ) -> None:
        browsing = _browsing(store, withdrawn, events, kept=60.0)
        await put(store, 2)

        for _ in range(20):
            await browsing.page(NEW)

        assert store.reads == 2  # the list, and the sayings on the page

    async def test_a_store_that_fails_is_reported_and_asked_again(
        self, store: CountedStore, browsing: Browsing, events: RecordingListener
    ) -> None:
        [saying] = await put(store, 1)
        store.trouble = StoreError("down")

        with pytest.raises(SayingsUnavailable):
            await browsing.page(NEW)
        with pytest.raises(SayingsUnavailable):
            await browsing.saying(saying.saying_id)
        store.trouble = None

        assert [event.operation for event in events.of(DependencyFailed)] == ["listed ids", "stored sayings"]
        assert (await browsing.saying(saying.saying_id)).saying == saying
