"""How each store forgets reports in the end, and how an SQLite file of the version before learns of withdrawals."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.domain import Report, ReportReason, Withdrawal, WithdrawnBy
from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from service.store.sqlite import SqliteStore
from tests.store.builders import generated
from tests.store.conftest import Dynamo

SAYING, OTHER = generated("reported long ago"), generated("reported today")
AT = 1_800_000_000.5
MONTH = DEFAULT_RETENTION.report_days * DAY_SECONDS
VERSION_3 = Path(__file__).with_name("version_3.sql").read_text()


def report(identity: str, at: float) -> Report:
    return Report(identity, "a reporter", "a network", ReportReason.WRONG, at)


@pytest.mark.parametrize(("seconds", "known"), [(MONTH, 2), (MONTH + 1, 1)])
async def test_a_pass_over_sqlite_forgets_reports_a_month_after_the_last(
    sqlite_store: SqliteStore, seconds: float, known: int
) -> None:
    await sqlite_store.report_saying(report(SAYING.saying_id, AT))
    await sqlite_store.report_saying(report(OTHER.saying_id, AT + DAY_SECONDS))

    async for _ in sqlite_store.prune(DEFAULT_RETENTION, now=AT + seconds):
        pass

    assert len(await sqlite_store.reported_sayings()) == known


async def test_dynamodb_is_told_to_forget_them_then(dynamo: Dynamo) -> None:
    await dynamo.store.report_saying(report(SAYING.saying_id, AT))

    [item] = (await dynamo.client.scan(TableName=dynamo.prefix + STATE))["Items"]

    assert item[EXPIRY_ATTRIBUTE] == {"N": str(int(AT + MONTH))}


async def test_a_file_of_the_version_before_learns_of_withdrawals(tmp_path: Path) -> None:
    path = tmp_path / "sayings.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(VERSION_3)

    store = await SqliteStore.open(path)

    await store.put_sayings([SAYING])
    assert await store.withdraw_saying(Withdrawal(SAYING.saying_id, "slander", WithdrawnBy.OPERATOR, AT))
    assert await store.random_saying() is None
    await store.close()
