"""The spend cap under attack: several processes on one store, one of them killed in mid-call, every kind of call."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.aws.clients import AwsClients
from service.catalogue.models import NANOS_PER_DOLLAR
from service.limits import Quotas
from service.llm.billing import spend_window
from service.simulator import Fault, FaultKind, Simulator
from service.store.address import open_store
from service.store.base import Store
from service.store.dynamodb import create_tables
from tests.aws import REGION
from tests.bill import Bill
from tests.spending_process import AT_ONCE
from tests.support import PATIENT, RecordingListener

pytestmark = pytest.mark.slow

PROCESSES, CALLS = 2, 60
CAP = NANOS_PER_DOLLAR // 20
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Booking:
    """A change that a process made to the sum, at some time between `began` and `ended`."""

    began: float
    ended: float
    amount: int
    taken: bool


@asynccontextmanager
async def spending(store: str, url: str, calls: int) -> AsyncIterator[Process]:
    """Start a process that waits to be released."""
    arguments = ("-m", "tests.spending_process", store, url, str(CAP), str(calls))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def let_go(process: Process) -> list[Booking]:
    """Release the process and return its bookings until it ends."""
    lines, _ = await process.communicate(b"\n")
    return [booking(line) for line in lines.splitlines()]


async def let_begin(process: Process, calls: int) -> list[Booking]:
    """Return the bookings that the process makes before so many of its calls begin."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    return [booking(await process.stdout.readline()) for _ in range(calls)]


def booking(line: bytes) -> Booking:
    began, ended, amount, taken = line.split()
    return Booking(float(began), float(ended), int(amount), taken == b"1")


@pytest.fixture(params=["sqlite", "dynamodb"])
async def address(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/sayings.db"
        return
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("moto_url"))
    prefix = f"cap-{os.getpid()}-"
    async with AsyncExitStack() as stack:
        await create_tables(await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb(), prefix)
    yield f"dynamodb://{prefix}"


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        yield await open_store(
            address, AwsClients(REGION, stack, timeouts=PATIENT), stack, RecordingListener(), quotas=Quotas()
        )


def false_rejections(bookings: list[Booking]) -> list[Booking]:
    """Reservations refused although at no time while they were asked for could there have been too little room."""
    taken = [booking for booking in bookings if booking.taken]

    def most_at(moment: float) -> int:
        begun = sum(each.amount for each in taken if each.amount > 0 and each.began <= moment)
        return begun + sum(each.amount for each in taken if each.amount < 0 and each.ended <= moment)

    def could_be_true(refused: Booking) -> bool:
        moments = [each.began for each in taken if refused.began <= each.began <= refused.ended] + [refused.began]
        return any(most_at(moment) + refused.amount > CAP for moment in moments)

    return [booking for booking in bookings if not booking.taken and not could_be_true(booking)]


async def test_the_cap_is_never_exceeded_and_never_refuses_too_early(
    address: str, simulator: Simulator, simulator_url: str
) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_SECONDS):
        victim = await stack.enter_async_context(spending(address, simulator_url, AT_ONCE))
        others = [await stack.enter_async_context(spending(address, simulator_url, CALLS)) for _ in range(PROCESSES)]
        simulator.inject("*", Fault(FaultKind.HANG, count=None))
        orphans = await let_begin(victim, AT_ONCE)
        await simulator.until(lambda: simulator.in_flight >= AT_ONCE)
        victim.kill()
        await simulator.until(lambda: simulator.in_flight == 0)
        simulator.clear_faults()
        simulator.inject("*", Fault(FaultKind.RESET, count=None, rate=0.1))  # which may be billed, and is retried
        simulator.inject("*", Fault(FaultKind.OVERLOADED, count=None, rate=0.1))  # which is not, and is

        ledgers = await asyncio.gather(*(let_go(process) for process in others))

    bookings = [*orphans, *(booking for ledger in ledgers for booking in ledger)]
    async with opened(address) as store:
        spent = (await store.spend(spend_window(time.time()))).day
    bill = Bill()
    bill.collect(simulator)
    orphaned = sum(booking.amount for booking in orphans if booking.taken)
    assert orphaned > 0
    assert spent == sum(booking.amount for booking in bookings if booking.taken) <= CAP
    assert bill.nanos + orphaned <= spent
    assert sum(not booking.taken for booking in bookings) > 0
    assert false_rejections(bookings) == []
