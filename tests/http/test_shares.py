"""One client that begins comparisons and hangs up leaves comparisons, rounds and money to everybody else."""

import asyncio
from typing import Any

import pytest

from service.catalogue.models import NANOS_PER_DOLLAR
from service.llm.billing import ADDRESS_SHARE, spend_window
from service.simulator import Simulator
from telemetry.events import ComparisonFinished
from tests.http.conftest import Server
from tests.http.wire import connected, request
from tests.support import with_timeouts
from workers.fleet import fleet_rounds

HANG_UPS = 38
HOURLY_CAP = 1.0
ATTACKER, VISITOR = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "198.51.100.7"}


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"trusted_proxies": 1, "compare_rate": "off", "hourly_cap_usd": HOURLY_CAP}


async def hang_up_after_the_first_event(server: Server) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(request("POST", "/compare", b"{}", Content_Type="application/json", **in_wire_form(ATTACKER)))
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1)


def in_wire_form(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


async def spent_by_the_hour(server: Server) -> float:
    store = server.resources.store
    return (await store.spend(spend_window(await store.time()))).hour / NANOS_PER_DOLLAR


@pytest.fixture
async def curve(server: Server) -> list[float]:
    """The dollars of the hour after each hang-up."""
    spent = []
    for _ in range(HANG_UPS):
        await hang_up_after_the_first_event(server)
        spent.append(await spent_by_the_hour(server))
    return spent


@with_timeouts(comparison_begin=0.0)
async def test_hang_ups_leave_a_fresh_comparison_and_a_round(
    server: Server, simulator: Simulator, curve: list[float]
) -> None:
    compared = await server.ask("POST", "/compare", json={}, headers={"Accept": "application/json", **VISITOR})
    finished = await fleet_rounds(server.resources).run()

    assert max(curve) <= HOURLY_CAP * ADDRESS_SHARE
    assert compared.status == 200
    assert compared.json["replayed"] is False
    assert finished is not None
    assert all(report.sayings for report in finished.models)


@with_timeouts(comparison_begin=60.0)
async def test_who_hangs_up_at_once_costs_nothing(server: Server, simulator: Simulator, curve: list[float]) -> None:
    async with asyncio.timeout(60):
        while await spent_by_the_hour(server):  # noqa: ASYNC110 - what was reserved is being given back
            await asyncio.sleep(0.01)

    assert list(simulator.calls) == []
    assert {event.answered for event in server.events.of(ComparisonFinished)} == {0}
