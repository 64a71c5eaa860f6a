"""`python -m service models` shows the line-up and exits with 1 when something needs a person."""

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.catalogue import line_up
from service.catalogue.lifecycle import Lifecycle, LifeStage
from service.cli.commands import carry_out, parse
from service.config import Settings
from service.store.sqlite import SqliteStore


async def shown(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str]:
    """Run the command with the simulator in the vendors' place; the exit code and what it prints."""
    settings = Settings(store=f"sqlite:///{folder}/sayings.db")
    code = await carry_out(parse(["models", *options]), settings)
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("day", "line"),
    [
        (date(2026, 11, 28), "claude-sonnet-4-5 seated 2025-09-29 2026-11-30 (2 days) (not asked)"),
        (date(2026, 12, 1), "claude-sonnet-4-5 retired 2025-09-29 2026-11-30 (not asked)"),
    ],
)
async def test_the_table_has_states_dates_and_prices(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: date, line: str
) -> None:
    monkeypatch.setattr(line_up, "today", lambda: day)

    code, text = await shown(capsys, tmp_path)

    rows = [" ".join(row.split()) for row in text.splitlines()]
    assert any(line in row and "3 / 0.3 / 3.75 / 15" in row for row in rows)
    assert (code, rows[-1]) == (0, "Nothing needs a person.")


async def test_what_needs_a_person_is_said_and_is_the_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_up, "today", lambda: date(2027, 6, 1))

    code, text = await shown(capsys, tmp_path)

    assert code == 1
    assert "claude-haiku-4-5: Its price was last compared with the vendor's list on 2026-11-25." in text


async def test_the_same_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, text = await shown(capsys, tmp_path, "--json")

    said: dict[str, Any] = json.loads(text)
    assert (code, said["day"], said["lifecycles"], said["concerns"]) == (0, "2026-11-28", {}, [])
    assert [seat["model"] for seat in said["seats"]][:2] == ["claude-haiku-4-5", "claude-sonnet-4-5"]


async def test_what_the_vendors_have_said_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sayings.db")
    await store.put_lifecycles([Lifecycle("gpt-4.1", LifeStage.DEPRECATED, date(2027, 2, 14), time.time())])
    await store.close()
    settings = Settings(store=f"sqlite:///{tmp_path}/sayings.db", simulator="off")

    code = await carry_out(parse(["models"]), settings)

    text = capsys.readouterr().out
    assert "deprecated, 2027-02-14" in text
    assert "gpt-4.1: Its vendor says that it retires on 2027-02-14; the catalogue says 2027-01-14." in text
    assert code == 1
