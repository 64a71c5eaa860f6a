"""The commands that take sayings down and restore them, and the one that lists what visitors have reported."""

import argparse
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from service.catalogue.collection import builtin
from service.cli.stores import existing_address, opened
from service.config import Settings
from service.domain import ReportReason, Saying, Withdrawal, WithdrawnBy
from service.process import say
from service.store.base import ReportedSaying, Store

if TYPE_CHECKING:
    from rich.table import Table

_ID = re.compile(r"[0-9a-f]{32}")
_WORKS_WITHIN = "Every process follows within 10 seconds."


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    """A reported saying as an operator sees it. Without a `saying` the store does not have the text."""

    saying_id: str
    state: str
    next: str
    networks: int
    reasons: dict[ReportReason, int]
    last_reported_at: str
    saying: str | None
    source: str | None


async def withdraw(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take a saying down everywhere. 1 when the id is not an id."""
    identity = _checked(arguments.id)
    if identity is None:
        return 1
    async with opened(existing_address(settings), settings) as store:
        saying = await _find(store, identity)
        was_up = await store.withdraw_saying(Withdrawal(identity, arguments.reason, WithdrawnBy.OPERATOR, time.time()))
    what = f"“{saying.text}” ({saying.source})" if saying else "A text that the store does not have yet"
    say(f"{what} is {'withdrawn' if was_up else 'withdrawn already; the reason is replaced'}. {_WORKS_WITHIN}")
    return 0


async def restore(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show a saying again, or keep one that was only reported. 1 when there is neither a withdrawal nor a report."""
    identity = _checked(arguments.id)
    if identity is None:
        return 1
    async with opened(existing_address(settings), settings) as store:
        if not await store.restore_saying(identity, at=time.time()):
            say(f"{identity} is neither withdrawn nor reported.")
            return 1
    say(f"{identity} is shown, and its reports so far no longer count. {_WORKS_WITHIN}")
    return 0


async def reports(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the sayings that visitors have reported, the latest report first."""
    async with opened(existing_address(settings), settings) as store:
        withdrawn = (await store.withdrawals()).sayings
        reported = await store.reported_sayings()
        entries = [_entry(each, withdrawn.get(each.saying_id), await _find(store, each.saying_id)) for each in reported]
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(entries)).decode() + "\n")
    elif entries:
        _print(_table(entries), entries)
    else:
        say("Nothing has been reported.")
    return 0


def _checked(identity: str) -> str | None:
    """The id, or None with a line for the operator when it does not have the form of one."""
    if _ID.fullmatch(identity):
        return identity
    say(f"{identity!r} is not the id of a saying, which is 32 hex digits.")
    return None


async def _find(store: Store, identity: str) -> Saying | None:
    return await store.get_saying(identity) or builtin(identity)


def _entry(reported: ReportedSaying, withdrawal: Withdrawal | None, saying: Saying | None) -> _Entry:
    state, then = _state(reported, withdrawal)
    return _Entry(
        reported.saying_id,
        state,
        then,
        reported.networks,
        dict(reported.reasons),
        datetime.fromtimestamp(reported.last_at, UTC).isoformat(timespec="seconds"),
        saying.text if saying else None,
        saying.source if saying else None,
    )


def _state(reported: ReportedSaying, withdrawal: Withdrawal | None) -> tuple[str, str]:
    """What has become of a reported saying, and the command that an operator needs next."""
    withdraw, restore = f"withdraw {reported.saying_id} --reason …", f"restore {reported.saying_id}"
    if withdrawal is not None and withdrawal.withdrawn_by is WithdrawnBy.VISITORS:
        return "set aside by visitors", f"{withdraw} to confirm, or {restore}"
    if withdrawal is not None:
        return f"withdrawn: {withdrawal.reason}", ""
    if reported.networks == 0:
        return "kept by an operator", ""
    return "reported, and shown", f"{withdraw}, or {restore} to keep it"


def _print(table: "Table", entries: Sequence[_Entry]) -> None:
    from rich.console import Console  # imported here, because a server does not need it

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    for entry in entries:
        if entry.next:
            console.print(f"python -m service {entry.next}", markup=False, highlight=False, soft_wrap=True)
    if not any(entry.next for entry in entries):
        console.print("Nothing needs a person.")


def _table(entries: Sequence[_Entry]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Reported sayings", box=box.SIMPLE_HEAD)
    for heading in ("Last report", "State", "Networks", "Reasons", "Saying", "Id"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        reasons = ", ".join(f"{reason} {count}" for reason, count in entry.reasons.items())
        written = f"{entry.saying} ({entry.source})" if entry.saying else "(the store does not have the text)"
        cells = (entry.last_reported_at, entry.state, str(entry.networks), reasons, written, entry.saying_id)
        table.add_row(*map(Text, cells))  # as Text, because a saying may look like markup
    return table
