"""What a version writes into DynamoDB, so that another version can be held against it.

`python -m tests.store.evolution` records it in version_before.json, which is done when a version is released.
"""

import asyncio
import base64
import json
import zlib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import aioboto3

from service.catalogue.lifecycle import Lifecycle, LifeStage
from service.domain import Report, ReportReason, SayingOrder, Withdrawal, WithdrawnBy
from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.base import Listing, Spend, SpendWindow, Store
from service.store.dynamodb import TABLES, DynamoStore, create_tables
from service.store.dynamodb.tables import STATE
from tests.moto_server import serving_moto
from tests.store.builders import (
    CAST_AT,
    DAY,
    HOUR,
    MODEL,
    NAMED,
    NEGATIVE,
    OPEN,
    call,
    collected,
    comparison,
    generated,
    network,
    shown,
    vote,
)

FILE = Path(__file__).with_name("version_before.json")
NEXT_DAY = CAST_AT + DAY_SECONDS
SAYINGS = (collected("of the collection"), generated("of a model"), generated("of a snapshot", snapshot="2026-08-01"))
WITHDRAWN = generated("withdrawn")
COMPARED, OPEN_STILL = comparison(), comparison("another")
WINDOW = SpendWindow(DAY, HOUR)

Items = dict[str, list[dict[str, Any]]]


async def write_everything(store: Store) -> None:
    """Something of every kind of item, on a day whose lines are folded and on the next."""
    await store.put_sayings([*SAYINGS, WITHDRAWN])
    await _give(store, CAST_AT, "first", DAY)
    async for _ in store.prune(DEFAULT_RETENTION, now=NEXT_DAY):
        pass
    await _give(store, NEXT_DAY, "second", "2027-01-16")
    lease = await store.acquire_lease("round", "holder", now=NEXT_DAY, seconds=90)
    assert lease is not None
    await store.acquire_lease("hourly", "holder", now=NEXT_DAY, seconds=3_600)
    await store.reserve_spend(WINDOW, 500, caps=Spend(10_000, 10_000), shares={"client#1": Spend(1_000, 1_000)})
    await store.adjust_spend(WINDOW, -100, shares=["client#1"])
    await store.put_analysis("an analysis")
    await store.mark_gone(MODEL, since=CAST_AT)
    await store.put_lifecycles([Lifecycle(MODEL, LifeStage.DEPRECATED, date(2027, 6, 1), CAST_AT)])
    await store.withdraw_saying(Withdrawal(WITHDRAWN.saying_id, "slander", WithdrawnBy.OPERATOR, CAST_AT))
    await store.report_saying(Report(SAYINGS[1].saying_id, "a reporter", "a network", ReportReason.OFFENSIVE, CAST_AT))
    await store.forget("somebody", asked_at=NEXT_DAY)
    await store.rank_sayings(simulated=False)
    await store.day_secret(DAY)


async def _give(store: Store, at: float, who: str, day: str) -> None:
    """Votes of every attribution, ballots, calls and serves of a day."""
    for n, saying in enumerate(SAYINGS):
        await store.vote(vote(saying, f"{who} {n}", at=at, networks=[network(day=day)]))
        await store.vote(vote(saying, f"{who} named", NEGATIVE, at=at, attribution=NAMED, networks=[network(day=day)]))
        await store.vote(vote(saying, f"{who} open", at=at, attribution=OPEN, networks=[network(day=day)]))
        await store.vote(vote(saying, f"{who} unverified", at=at, attribution=None))
    await store.vote(vote(SAYINGS[1], f"{who} 1", NEGATIVE, at=at + 1))  # changes the opinion
    await store.withdraw_vote(SAYINGS[2].saying_id, f"{who} 2")
    for compared in (COMPARED, OPEN_STILL):
        await store.put_comparison(compared, shown(compared, who))
    await store.cast_ballot(COMPARED.comparison_id, who, "A", at=at, networks=[network(day=day)])
    await store.cast_ballot(COMPARED.comparison_id, who, "B", at=at)  # a second thought
    for name, failed in (("answered", ""), ("failed", "timeout")):
        await store.record_call(call(f"{who} {name}", error_type=failed, rejected={"too_long": 1}))
    await store.add_serves({MODEL: 3}, hour=f"{day}T08")


async def read_everything(store: Store) -> dict[str, Any]:
    """What there is to read, in terms that do not depend on how it is stored."""
    listings = [Listing(order, simulated=False) for order in SayingOrder]
    everything: dict[str, Any] = {
        "sayings": _sorted([each async for each in store.all_sayings()]),
        "votes": _sorted([each async for each in store.all_votes()]),
        "ballots": _sorted([each async for each in store.all_ballots()]),
        "calls": _sorted([each async for each in store.all_calls()]),
        "aggregates": await store.aggregates(since_hour=""),
        "lists": [await store.listed_ids(listing) for listing in listings],
        "recent": _sorted(await store.recent_sayings(MODEL, since=0, limit=9, simulated=False)),
        "withdrawals": await store.withdrawals(),
        "reports": await store.reported_sayings(),
        "spend": [await store.spend(WINDOW), await store.spend(WINDOW, "client#1")],
        "analysis": await store.analysis(),
        "gone": await store.gone_models(),
        "lifecycles": await store.lifecycles(),
    }
    return everything


def _sorted(things: list[Any]) -> list[Any]:
    return sorted(things, key=repr)


async def items_in(client: Any, prefix: str) -> Items:
    return {name: (await client.scan(TableName=prefix + name))["Items"] for name in TABLES}


async def put_items(client: Any, prefix: str, items: Items) -> None:
    for table, found in items.items():
        for item in found:
            await client.put_item(TableName=prefix + table, Item=item)


def counts_of(items: Items) -> Counter[tuple[str, str]]:
    """The sums of the lines of counts over their shards, by line and number, also of those that are folded."""
    sums: Counter[tuple[str, str]] = Counter()
    for item in items[STATE]:
        name, part = item["name"]["S"], item["part"]["S"]
        if name == "tallies" and "numbers" in item:
            for numbers in json.loads(zlib.decompress(item["numbers"]["B"])).values():
                sums.update({(part, number): value for number, value in numbers.items()})
        elif name.startswith("tally#"):
            numbers = {number: float(value["N"]) for number, value in item.items() if "N" in value}
            sums.update({(part, number): value for number, value in numbers.items() if number != "writes"})
    return sums


def indexes() -> dict[str, dict[str, Any]]:
    """The indexes of each table, by name."""
    return {
        name: {index["IndexName"]: dict(index) for index in table.get("GlobalSecondaryIndexes", [])}
        for name, table in TABLES.items()
    }


def load() -> tuple[Items, dict[str, dict[str, Any]]]:
    """The items that the version before has written, and its indexes."""
    recorded = json.loads(FILE.read_text())
    items = {table: [_with_bytes(item) for item in found] for table, found in recorded["items"].items()}
    return items, recorded["indexes"]


def _with_bytes(item: dict[str, Any]) -> dict[str, Any]:
    decoded = {}
    for name, value in item.items():
        ((kind, content),) = value.items()
        if kind == "B":
            content = base64.b64decode(content)
        elif kind == "BS":
            content = [base64.b64decode(each) for each in content]
        decoded[name] = {kind: content}
    return decoded


async def _record() -> None:
    with serving_moto() as url:
        async with aioboto3.Session("testing", "testing", region_name="us-east-1").client(
            "dynamodb", endpoint_url=url
        ) as client:
            await create_tables(client)
            await write_everything(DynamoStore(client))
            items = await items_in(client, "")
    tables = ",\n".join(map(_table, items, items.values()))
    FILE.write_text(f'{{"indexes": {json.dumps(indexes())},\n"items": {{\n{tables}\n}}}}\n')


def _table(name: str, items: list[dict[str, Any]]) -> str:
    """A table in JSON, an item a line."""
    lines = [json.dumps(item, sort_keys=True, default=_in_base64) for item in map(_without_secret, items)]
    return f'"{name}": [\n' + ",\n".join(sorted(lines)) + "\n]"


def _without_secret(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"secret": {"S": "0" * 64}} if "secret" in item else item


def _in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    asyncio.run(_record())
