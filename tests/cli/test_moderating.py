"""`python -m service withdraw`, `restore` and `reports` as an operator uses them."""

import json
from pathlib import Path

import pytest

from service.catalogue.collection import collection
from service.cli.commands import carry_out, parse
from service.config import Settings
from service.domain import Report, ReportReason, Withdrawal, WithdrawnBy, saying_id
from service.store.sqlite import SqliteStore
from tests.support import model_saying

SAYING = model_saying("Amazon S3 is a cellar [bold]that never asks[/bold] what you keep in it.")
ID = SAYING.saying_id
UNKNOWN = saying_id("nobody has written this yet")


async def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command on the store of the folder: its exit code, what it prints, and what it says to the operator."""
    code = await carry_out(parse(list(words)), Settings(store=f"sqlite:///{folder}/sayings.db"))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


async def report(store: SqliteStore, number: int, *, at: float = 1_800_000_000.0) -> None:
    await store.report_saying(Report(ID, f"reporter {number}", f"network {number}", ReportReason.WRONG, at))


async def test_a_saying_is_withdrawn_and_restored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore
) -> None:
    await store.put_sayings([SAYING])

    withdrawn = await run(capsys, tmp_path, "withdraw", ID, "--reason", "slander")
    sayings = (await store.withdrawals()).sayings
    restored = await run(capsys, tmp_path, "restore", ID)

    assert (withdrawn[0], restored[0]) == (0, 0)
    assert f"“{SAYING.text}” ({SAYING.source}) is withdrawn." in withdrawn[2]
    assert (sayings[ID].reason, sayings[ID].withdrawn_by) == ("slander", WithdrawnBy.OPERATOR)
    assert (await store.withdrawals()).sayings == {}


@pytest.mark.parametrize("identity", [collection()[7].saying_id, UNKNOWN], ids=["of the collection", "not stored"])
async def test_what_the_store_does_not_have_can_be_withdrawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore, identity: str
) -> None:
    code, _, said = await run(capsys, tmp_path, "withdraw", identity, "--reason", "slander")

    assert (code, "is withdrawn" in said) == (0, True)
    assert set((await store.withdrawals()).sayings) == {identity}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("withdraw", "nonsense", "--reason", "x"), "'nonsense' is not the id of a saying, which is 32 hex digits.\n"),
        (("restore", "NONSENSE"), "'NONSENSE' is not the id of a saying, which is 32 hex digits.\n"),
        (("restore", UNKNOWN), f"{UNKNOWN} is neither withdrawn nor reported.\n"),
    ],
)
async def test_a_wrong_id_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    assert await run(capsys, tmp_path, *words) == (1, "", line)


async def test_reports_are_listed_with_what_to_do_next(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore
) -> None:
    await store.put_sayings([SAYING])
    await report(store, 1)
    await report(store, 2)

    code, table, _ = await run(capsys, tmp_path, "reports")

    assert code == 0
    assert "wrong 2" in table
    assert "[bold]" in table
    assert f"python -m service withdraw {ID} --reason …, or restore {ID} to keep it" in table


@pytest.mark.parametrize(
    ("by", "state"), [(WithdrawnBy.VISITORS, "set aside by visitors"), (WithdrawnBy.OPERATOR, "withdrawn: slander")]
)
async def test_the_list_says_what_has_become_of_a_saying(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore, by: WithdrawnBy, state: str
) -> None:
    await report(store, 1)
    await store.withdraw_saying(Withdrawal(ID, "slander", by, 1_800_000_000.0))

    code, listed, _ = await run(capsys, tmp_path, "reports", "--json")

    [entry] = json.loads(listed)
    assert (code, entry["sayingId"], entry["state"], entry["networks"]) == (0, ID, state, 1)
    assert (entry["reasons"], entry["lastReportedAt"]) == ({"wrong": 1}, "2027-01-15T08:00:00+00:00")
    assert bool(entry["next"]) == (by is WithdrawnBy.VISITORS)


async def test_a_kept_saying_needs_nobody(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore
) -> None:
    await report(store, 1)
    await run(capsys, tmp_path, "restore", ID)

    _, table, _ = await run(capsys, tmp_path, "reports")

    assert "kept by an operator" in table
    assert table.rstrip().endswith("Nothing needs a person.")


async def test_without_reports_there_is_nothing_to_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert await run(capsys, tmp_path, "reports") == (0, "", "Nothing has been reported.\n")
