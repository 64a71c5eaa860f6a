"""A model that its vendor no longer knows leaves the line-up in this process and in the fleet."""

from pathlib import Path

from service.catalogue.line_up import LineUp
from service.catalogue.models import load_catalogue
from service.llm.gone_models import GONE_SECONDS, GoneModels
from service.llm.vendors import VENDORS
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed
from tests.support import ORIGINAL_DAY, Clock, RecordingListener

CATALOGUE = load_catalogue(VENDORS)
GPT = CATALOGUE["gpt-4.1"]


def line_up() -> LineUp:
    return LineUp(CATALOGUE, [model.id for model in CATALOGUE], day=lambda: ORIGINAL_DAY)


async def test_its_seat_goes_to_the_successor_and_the_log_says_so(
    store: SqliteStore, events: RecordingListener
) -> None:
    seats = line_up()
    gone = GoneModels(seats, store, events)

    gone.report(GPT)
    gone.report(GPT)
    await gone.close()

    assert GPT not in seats
    assert CATALOGUE["gpt-6.1-terra"] in seats
    assert [event.error_type for event in events.of(DependencyFailed)] == ["ModelGone"]


async def test_other_processes_hear_of_it_from_the_store(store: SqliteStore, events: RecordingListener) -> None:
    gone, others = GoneModels(line_up(), store, events), line_up()
    gone.report(GPT)
    await gone.close()

    await GoneModels(others, store, events).refresh()

    assert GPT not in others


async def test_it_is_asked_again_after_a_day(store: SqliteStore, events: RecordingListener) -> None:
    clock, seats = Clock(1_800_000_000.0), line_up()
    gone = GoneModels(seats, store, events, clock=clock)
    gone.report(GPT)
    await gone.close()

    clock.now += GONE_SECONDS
    await gone.refresh()

    assert GPT in seats


async def test_what_another_process_heard_later_counts(store: SqliteStore, events: RecordingListener) -> None:
    clock, seats = Clock(1_800_000_000.0), line_up()
    gone = GoneModels(seats, store, events, clock=clock)
    gone.report(GPT)
    await gone.close()
    await store.mark_gone(GPT.id, since=clock() + GONE_SECONDS - 1)

    clock.now += GONE_SECONDS
    await gone.refresh()

    assert GPT not in seats


async def test_the_log_promises_a_seat_to_nobody_who_cannot_take_it(
    store: SqliteStore, events: RecordingListener
) -> None:
    seats = LineUp(CATALOGUE, [GPT.id], day=lambda: ORIGINAL_DAY)  # there is no key for the successor
    gone = GoneModels(seats, store, events)

    gone.report(GPT)
    await gone.close()

    (failed,) = events.of(DependencyFailed)
    assert failed.error_message == "The vendor no longer knows gpt-4.1. Its seat is empty now."


async def test_a_store_that_fails_brings_no_model_back(tmp_path: Path, events: RecordingListener) -> None:
    seats, broken = line_up(), await SqliteStore.open(tmp_path / "closed.db")
    await broken.close()
    gone = GoneModels(seats, broken, events)
    gone.report(GPT)
    await gone.close()

    await gone.refresh()

    assert GPT not in seats
