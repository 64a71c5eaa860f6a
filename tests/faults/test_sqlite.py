"""The column of SQLite: its file is locked, full or damaged under a running server."""

import asyncio
import resource
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import aiohttp
import pytest

from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed, Unexpected
from tests.faults.conftest import Start, limit_pages, saying
from tests.http.conftest import SIMULATED, Server
from tests.store.builders import call, comparison, shown
from tests.support import RecordingListener
from tests.test_processes import Machine, new_visitor

UNAVAILABLE, FULL = (503, "store_unavailable"), (503, "storage_full")


@pytest.fixture
async def server(start: Start) -> Server:
    server = await start()
    await server.known()
    return server


async def vote(server: Server, voter: str = "") -> tuple[int, str]:
    """Vote; returns the HTTP status, and the status of the vote or its error code."""
    answer = await server.post_vote(known(), Cookie=f"sayings_voter={voter:v>32}")
    if answer.status == 200:
        return 200, answer.json["status"]
    assert int(answer.headers["Retry-After"]) > 0
    return answer.error


def known() -> dict[str, str]:
    return {"saying": SIMULATED.text, "source": SIMULATED.source, "feedbackType": "POSITIVE"}


def read(directory: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(directory / "sayings.db")) as database:
        return database.execute(query).fetchall()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    with closing(sqlite3.connect(directory / "sayings.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.slow
async def test_hang_a_locked_file_is_503_safe_to_repeat_and_read(server: Server, tmp_path: Path) -> None:
    with locked(tmp_path):
        first, told = await asyncio.gather(vote(server), saying(server))

    assert first == UNAVAILABLE
    assert (told["origin"], told["degraded"]) == ("database", None)
    assert [await vote(server), await vote(server)] == [(200, "recorded"), (200, "unchanged")]


@pytest.mark.slow
async def test_hang_of_the_disk_people_get_another_saying(server: Server) -> None:
    store, disk = server.resources.store, threading.Event()
    assert isinstance(store, SqliteStore)
    stuck = asyncio.create_task(store._reader.run("stuck", lambda _: disk.wait()))

    told, ready = await asyncio.gather(saying(server), server.ask("GET", "/health/ready"))
    disk.set()
    await stuck

    assert (told["origin"], told["degraded"]) == ("builtin", "database_timeout")
    assert (ready.status, ready.json["dependencies"]) == (503, {"store": "timeout"})
    assert (await saying(server))["origin"] == "database"


async def test_disk_full_votes_are_503_storage_full_and_reads_work(
    server: Server, tmp_path: Path, events: RecordingListener
) -> None:
    await limit_pages(server, extra=0)

    counted, refused = 0, (200, "recorded")
    while refused == (200, "recorded"):
        refused = await vote(server, f"{counted:032d}")
        counted += refused[0] == 200
    told = [await saying(server), await saying(server)]
    await limit_pages(server, extra=100)
    again = await vote(server)

    assert refused == FULL
    assert [answer["origin"] for answer in told] == ["database", "database"]
    assert again == (200, "recorded")
    assert read(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert read(tmp_path, "SELECT sum(upvotes) FROM main_humor") == [(counted + 1,)]
    assert not events.of(Unexpected)


@pytest.mark.slow
async def test_disk_full_for_the_system_reads_go_on_and_nothing_is_lost(machine: Machine, tmp_path: Path) -> None:
    server = await machine.serve("service")
    async with new_visitor() as visitor:
        one = await server.get("/sayings", visitor)
        await server.vote(one, "POSITIVE", visitor)

        with no_file_may_grow(server.process.pid):
            refused = await post(server.url, one, visitor)
            others = [await server.get("/sayings", visitor) for _ in range(3)]
        changed = await server.vote(one, "NEGATIVE", visitor)
        await server.stop(signal.SIGKILL)

    assert refused == FULL
    assert {each["origin"] for each in others} == {"database"}
    assert (changed["status"], changed["upvotes"], changed["downvotes"]) == ("changed", 0, 1)
    assert read(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert read(tmp_path, "SELECT sum(upvotes), sum(downvotes) FROM main_humor") == [(0, 1)]


async def post(url: str, saying: dict[str, object], visitor: aiohttp.ClientSession) -> tuple[int, str]:
    """Vote on a server that refuses; returns the HTTP status and the code of the error."""
    vote = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": "NEGATIVE"}
    async with visitor.post(f"{url}/feedback", json=vote) as answer:
        return answer.status, (await answer.json())["error"]["code"]


@contextmanager
def no_file_may_grow(process: int) -> Iterator[None]:
    """The operating system refuses every write at or beyond a file's first byte."""
    usual = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, usual[1]))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, usual)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (Path.unlink, "replaced"),
        (lambda file: file.with_name("sayings.db-wal").unlink(), "replaced"),
        (lambda file: file.chmod(0o400), "read_only"),
    ],
    ids=["removed", "journal removed", "read-only"],
)
async def test_a_file_that_is_changed_costs_no_vote_that_was_answered_with_200(
    server: Server, tmp_path: Path, change: Callable[[Path], None], state: str
) -> None:
    before = await vote(server, "a")

    change(tmp_path / "sayings.db")
    after, told = await vote(server, "b"), await saying(server)
    ready = await server.ask("GET", "/health/ready")

    assert (before, after) == ((200, "recorded"), UNAVAILABLE)
    assert (ready.status, ready.json["dependencies"]) == (503, {"store": state})
    assert told["origin"] == "database"


async def test_a_corrupt_comparison_vote_or_call_is_skipped_and_counted(
    server: Server, tmp_path: Path, events: RecordingListener
) -> None:
    compared = comparison("0" * 32)
    store = server.resources.store
    await store.put_comparison(compared, shown(compared))
    await store.record_call(call())
    await vote(server)
    with closing(sqlite3.connect(tmp_path / "sayings.db", isolation_level=None)) as other:
        other.execute("UPDATE comparisons SET entries = 'no JSON'")
        other.execute("UPDATE saying_feedback SET first = 'maybe'")
        other.execute("UPDATE calls SET kind = 'no such kind'")

    refused = await server.ask("POST", f"/compare/{compared.comparison_id}/vote", json={"winner": "A"})
    streams = [[each async for each in rows] for rows in (store.all_votes(), store.all_ballots(), store.all_calls())]

    assert refused.error == (404, "comparison_not_found")
    assert streams == [[], [], []]
    told = {(failed.operation, failed.error_type) for failed in events.of(DependencyFailed)}
    assert told == {(f"read {kind}", "DamagedRow") for kind in ("comparison", "vote", "call")}


async def test_a_file_of_junk_votes_are_503_and_sayings_are_builtin(
    server: Server, tmp_path: Path, events: RecordingListener
) -> None:
    with closing(sqlite3.connect(tmp_path / "sayings.db")) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "sayings.db").open("r+b") as file:
        file.write(b"junk" * 20_000)

    answers = await vote(server), (await saying(server))["origin"], (await server.ask("GET", "/health/ready")).status

    assert answers == (UNAVAILABLE, "builtin", 503)
    assert not events.of(Unexpected)
