"""An export has every row of the store, and gives nobody away. tests/statistics recomputes the statistics from it."""

import csv
import io
import json
import os
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.cli.rows import Export, Format, rows, writer
from service.domain import (
    Attribution,
    Ballot,
    Call,
    Comparison,
    Entry,
    FeedbackType,
    NetworkDay,
    Saying,
    Standing,
    Vote,
    Withdrawal,
    WithdrawnBy,
    model_source,
    saying_id,
)
from service.limits import Quotas
from service.store.base import (
    Store,
)
from service.store.sqlite import SqliteStore
from tests.support import NAMES, model_saying

ROOT = Path(__file__).parents[2]
NOON = 1_800_014_400.0
DAY = "2027-01-15"
QUOTAS = Quotas(address_votes=16)
ATTRIBUTIONS = (*[Attribution.BLIND] * 3, Attribution.NAMED, Attribution.OPEN, None)


async def play(store: Store) -> None:
    """A little of everything: four models, changed and withdrawn votes, a farm of voters, comparisons, failed calls."""
    sayings = [
        model_saying(f"{name} is about Amazon S3 and number {n}", model=name) for name in NAMES for n in range(3)
    ]
    await store.put_sayings([*sayings, Saying(saying_id("by hand"), "by hand", ("Amazon S3",), "From the collection")])
    for n, saying in enumerate(sayings):
        await record(store, saying, n)
        for voter in range(n + 2):
            await store.vote(vote(saying, f"voter {voter}", voter % 3 != 0, address=f"home of {voter}"))
        await store.vote(vote(saying, "voter 0", True, address="elsewhere"))
        await store.withdraw_vote(saying.saying_id, "voter 1")
        for bot in ("left", "right"):
            await store.vote(vote(saying, f"{bot} bot {n}", False, address="the farm"))
    for n in range(8):
        await compare(store, n)


def vote(saying: Saying, voter: str, liked: bool, *, address: str) -> Vote:
    opinion = FeedbackType.POSITIVE if liked else FeedbackType.NEGATIVE
    attribution = ATTRIBUTIONS[len(f"{voter}{saying.text}") % len(ATTRIBUTIONS)]
    return Vote(saying.saying_id, voter, opinion, NOON, attribution, (NetworkDay(f"{DAY}/{address}"),), len(NAMES))


async def record(store: Store, saying: Saying, n: int) -> None:
    assert saying.generation is not None
    asked, rejected = 1 + 2 * (n % 2), {"link": 1, "refusal": n} if n % 2 else {}
    error_type = "" if n % 5 else "ModelRefused"
    await store.record_call(Call(saying.generation, asked, sayings=n % 3, error_type=error_type, rejected=rejected))


async def compare(store: Store, n: int) -> None:
    sources = [model_source(display_name, simulated=False) for display_name in NAMES.values()]
    entries = tuple(
        Entry(slot, model, source, None if (slot, n) == ("D", 3) else "a saying", None, 900.0, None)
        for slot, model, source in zip("ABCD", NAMES, sources, strict=True)
    )
    comparison = Comparison(f"{n:032x}", "Amazon S3", False, NOON + n, entries)
    for voter in ("ann", "bob"):
        await store.put_comparison(comparison, Ballot(comparison.comparison_id, voter, NOON))
    if n:
        near = [NetworkDay(f"{DAY}/home of ann")]
        for winner in ("ABCDABAB"[n], "tie"):  # the second is chosen after the reveal
            await store.cast_ballot(comparison.comparison_id, "ann", winner, at=NOON, networks=near)
        await store.cast_ballot(comparison.comparison_id, "bob", ("none", "tie", "A")[n % 3], at=NOON)


async def exported(store: Store, what: Export) -> list[dict[str, Any]]:
    """The rows of a kind as a reader of the exported file gets them."""
    out = io.StringIO()
    write = writer(out, Format.JSONL)
    async for row in rows(store, what):
        write(row)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store in which an address has two votes on each model."""
    store = await SqliteStore.open(tmp_path / "sayings.db", quotas=QUOTAS)
    yield store
    await store.close()


async def test_rows_of_every_kind_and_standing_are_exported(store: SqliteStore) -> None:
    await play(store)

    exports = {what: await exported(store, what) for what in Export}

    votes, ballots = exports[Export.VOTES], exports[Export.COMPARISONS]
    assert {vote["standing"] for vote in votes} == set(Standing)
    assert {vote["attribution"] for vote in votes} == {*Attribution, None}
    assert {ballot["standing"] for ballot in ballots} == {"counted", None}
    assert [ballot["later"] for ballot in ballots].count("tie") == 7
    assert {size: len(rows) for size, rows in exports.items()} == await store.sizes()


async def test_what_counts_is_in_the_rows_as_it_was_cast_first(store: SqliteStore) -> None:
    saying = model_saying("A saying on Amazon S3.")
    await store.put_sayings([saying])
    await store.vote(replace(vote(saying, "ann", True, address="home"), attribution=Attribution.BLIND))
    await store.vote(replace(vote(saying, "ann", False, address="work"), cast_at=NOON + 60))

    (row,) = await exported(store, Export.VOTES)

    assert (row["first"], row["opinion"]) == ("POSITIVE", "NEGATIVE")
    assert (row["first_cast_at"], row["cast_at"]) == ("2027-01-15T12:00:00+00:00", "2027-01-15T12:01:00+00:00")
    assert (row["attribution"], row["standing"], row["network"]) == ("blind", "counted", f"{DAY}/home")


class TestCsv:
    def test_every_row_has_the_columns_that_the_first_line_names(self) -> None:
        out = io.StringIO()
        write = writer(out, Format.CSV)

        write({"saying": 'so "quoted", it is', "services": ["Amazon S3", "AWS Lambda"], "cost_nanos": None})

        head, row = csv.reader(io.StringIO(out.getvalue()))
        assert head == ["saying", "services", "cost_nanos"]
        assert row == ['so "quoted", it is', '["Amazon S3","AWS Lambda"]', ""]

    @pytest.mark.parametrize("hostile", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    def test_a_spreadsheet_is_given_nothing_to_compute(self, hostile: str) -> None:
        out = io.StringIO(newline="")

        writer(out, Format.CSV)({"saying": hostile})

        assert next(csv.DictReader(io.StringIO(out.getvalue(), newline="")))["saying"] == f"'{hostile}"


async def test_no_export_gives_a_voter_away(store: SqliteStore) -> None:
    await play(store)

    for what in Export:
        assert not [row for row in await exported(store, what) if "voter 0" in str(row) or "'ann'" in str(row)]


async def test_memory_does_not_grow_with_the_number_of_rows(store: SqliteStore) -> None:
    peaks = []
    for size in (2_000, 20_000):
        await store.put_sayings([model_saying(f"saying {n} of {size} on Amazon S3") for n in range(size)])
        write = writer(Nowhere(), Format.JSONL)

        tracemalloc.start()
        async for row in rows(store, Export.SAYINGS):
            write(row)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]


class Nowhere(io.StringIO):
    """Forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


@pytest.mark.slow
class TestCommand:
    async def test_it_writes_a_file_and_says_how_much(self, store: SqliteStore, tmp_path: Path) -> None:
        await play(store)

        done = run("export", "votes", "--format", "jsonl", "--output", "votes.jsonl", cwd=tmp_path)

        lines = (tmp_path / "votes.jsonl").read_text().splitlines()
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"{len(lines)} rows of votes from sqlite:///sayings.db\n"

    async def test_the_file_is_readable_by_its_owner_only(self, store: SqliteStore, tmp_path: Path) -> None:
        (tmp_path / "old.csv").touch(0o644)

        done = [run("export", "votes", "--output", name, cwd=tmp_path) for name in ("new.csv", "old.csv")]

        modes = [_mode(tmp_path / name) for name in ("new.csv", "old.csv")]
        assert modes == ["0600", "0600"]
        assert ["old.csv can be read by its owner only now." in each.stderr for each in done] == [False, True]

    async def test_what_is_no_file_keeps_its_mode(self, store: SqliteStore, tmp_path: Path) -> None:
        before = _mode(Path(os.devnull))

        done = run("export", "votes", "--output", os.devnull, cwd=tmp_path)

        assert (done.returncode, _mode(Path(os.devnull))) == (0, before)

    async def test_old_data_can_be_removed_by_hand(self, store: SqliteStore, tmp_path: Path) -> None:
        saying = model_saying("A saying on Amazon S3.")
        await store.put_sayings([saying])
        await store.vote(
            Vote(saying.saying_id, "ann", FeedbackType.POSITIVE, 0.0, networks=(NetworkDay("1970-01-01/home"),))
        )

        done = run("prune", cwd=tmp_path)

        (kept,) = await exported(store, Export.VOTES)
        assert (done.returncode, kept["network"]) == (0, "")
        assert done.stderr.startswith("1 votes and ballots have lost the hash of their address, 1 their voter.")

    async def test_a_reader_may_close_the_pipe_early(self, store: SqliteStore, tmp_path: Path) -> None:
        await store.put_sayings([model_saying(f"saying {n} on Amazon S3") for n in range(5_000)])

        done = shell(f"{sys.executable} -m service export sayings | head -n 1", cwd=tmp_path)

        assert done.stdout.startswith("saying_id,")
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ((), "is needed: there is none here"),
            (("sayings.db", "sayings-simulated.db"), "is needed: sayings.db and sayings-simulated.db are both here"),
        ],
    )
    def test_it_asks_which_store_is_meant(self, files: tuple[str, ...], reason: str, tmp_path: Path) -> None:
        for file in files:
            (tmp_path / file).touch()

        done = run("export", "votes", cwd=tmp_path)

        assert (done.returncode, done.stderr) == (2, f"Cannot start. SAYINGS_STORE: {reason}\n")


def _mode(file: Path) -> str:
    return f"{stat.S_IMODE(file.stat().st_mode):04o}"


def run(*arguments: str, cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(**settings), capture_output=True, text=True)


def shell(command: str, *, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, shell=True, cwd=cwd, env=environment(), capture_output=True, text=True)


def environment(**settings: str) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **settings}


async def test_a_withdrawn_saying_keeps_its_row_without_its_text(store: SqliteStore) -> None:
    await play(store)
    text = "gpt-4.1 is about Amazon S3 and number 0"
    await store.withdraw_saying(Withdrawal(saying_id(text), "slander", WithdrawnBy.OPERATOR, NOON))

    exported = {row["saying_id"]: row async for row in rows(store, Export.SAYINGS)}

    row = exported[saying_id(text)]
    assert (row["saying"], row["withdrawn"], row["withdrawn_at"]) == (None, True, "2027-01-15T12:00:00+00:00")
    assert row["upvotes"] > 0
    assert [other["withdrawn"] for other in exported.values()].count(True) == 1


async def test_a_withdrawn_text_is_not_in_the_rows_of_comparisons(store: SqliteStore) -> None:
    await play(store)
    before = [row async for row in rows(store, Export.COMPARISONS)]
    text = next(slot["saying"] for slot in before[0]["slots"] if slot["saying"])

    await store.withdraw_saying(Withdrawal(saying_id(text), "slander", WithdrawnBy.OPERATOR, NOON))

    after = [row async for row in rows(store, Export.COMPARISONS)]
    assert text in str(before)
    assert text not in str(after)
    assert [row["result"] for row in after] == [row["result"] for row in before]
