"""One run: a system, the plan's traffic and its faults, and all that is seen of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from service.catalogue.models import NANOS_PER_DOLLAR
from service.simulator import Simulator
from tests.bill import Bill
from tests.chaos.contract import Contract
from tests.chaos.ledger import Books, Ledger, Spending
from tests.chaos.plan import Part, Plan, order_model_faults
from tests.chaos.processes import Machine, Vitals
from tests.chaos.systems import System
from tests.chaos.traffic import Traffic, Visit

SAMPLE_SECONDS = 0.5
# The longest that a model call may be under way once nobody asks any more.
QUIET_SECONDS = 35.0
SETTLE_SECONDS = 1.5


@dataclass
class Run:
    """What came of it. Moments are on the monotonic clock."""

    visits: list[Visit]
    ledger: Ledger
    down: list[tuple[float, float]]
    starts: int
    failed_starts: int
    spending: Spending
    calls: int
    failed_calls: int
    books: Books
    start: Vitals
    end: Vitals
    complaints: list[str]


async def soak(system: System, plan: Plan, simulator: Simulator, contract: Contract, cap: float) -> Run:
    """Carry the plan out on a system that has been started."""
    machine, bill = system.machine, Bill()
    traffic = Traffic(machine.port, contract, plan.seed)
    order_model_faults(simulator)
    async with _collecting(bill, simulator):
        await _play(system, plan.stormy, traffic)
        await _play(system, plan.warming, traffic)
        start = await _at_rest(machine, simulator)
        await _play(system, plan.steady, traffic)
        end = await _at_rest(machine, simulator)
    books = await system.books()
    bill.collect(simulator)
    return Run(
        visits=traffic.visits,
        ledger=traffic.ledger,
        down=machine.down,
        starts=machine.starts,
        failed_starts=machine.failed_starts,
        spending=Spending(bill.nanos, await system.booked(), round(cap * NANOS_PER_DOLLAR)),
        calls=bill.calls,
        failed_calls=bill.failed,
        books=books,
        start=start,
        end=end,
        complaints=[*machine.trouble, *machine.complaints()],
    )


async def read_contract(port: int) -> Contract:
    """What a server that has been started documents."""
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/openapi.json") as answer:
        return Contract(await answer.json())


async def _play(system: System, part: Part, traffic: Traffic) -> None:
    async with system.bad_store(part.spells):
        await asyncio.gather(traffic.run(part.acts), _strike(system.machine, part))


async def _strike(machine: Machine, part: Part) -> None:
    """The outages, one after the other, also where one lasts longer than planned."""
    beginning = time.monotonic()
    for outage in part.outages:
        await asyncio.sleep(beginning + outage.at - time.monotonic())
        await machine.suffer(outage)


async def _at_rest(machine: Machine, simulator: Simulator) -> Vitals:
    """The vitals while nobody asks for anything and no model is at work."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await simulator.until(lambda: simulator.in_flight == 0)
    except TimeoutError:
        pass  # what still hangs then shows
    await asyncio.sleep(SETTLE_SECONDS)
    return await machine.vitals()


@asynccontextmanager
async def _collecting(bill: Bill, simulator: Simulator) -> AsyncIterator[None]:
    """Bill the calls as they come, before the simulator forgets them."""

    async def collect() -> None:
        while True:
            bill.collect(simulator)
            await asyncio.sleep(SAMPLE_SECONDS)

    collecting = asyncio.create_task(collect())
    try:
        yield
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
