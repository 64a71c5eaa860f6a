"""The column of the model APIs: the simulator fails, the vendors' own SDKs meet it, people still get sayings."""

import asyncio
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.llm.billing import spend_window
from service.llm.breaker import COOL_DOWN_SECONDS, FAILURES_TO_OPEN, LONG_COOL_DOWN_SECONDS
from service.simulator import Fault, FaultKind, Simulator
from telemetry.events import ModelCalled, Unexpected
from tests.faults.conftest import OnlyModels, Start, saying, up_to_live
from tests.http.conftest import Server
from tests.support import Clock, RecordingListener

HAIKU, GPT = "claude-haiku-4-5", "gpt-4.1"
SLOW = [FaultKind.HANG, FaultKind.SLOW_DRIP]


@pytest.fixture
async def server(start: Start, only_models: OnlyModels) -> Server:
    """A server whose next saying calls the only model that takes part."""
    server = await start(catalogue=only_models(GPT))
    await up_to_live(server)
    return server


def attempts(events: RecordingListener) -> list[tuple[int, str]]:
    """Every call by its number and its failure, as metrics and logs have them."""
    return [(called.attempt, called.error_type) for called in events.of(ModelCalled)]


def written_by(answer: dict[str, Any]) -> tuple[str, str | None]:
    return answer["origin"], answer["degraded"]


@pytest.mark.slow
async def test_hang_or_slow_drip_falls_back_without_delaying_others(
    start: Start, simulator: Simulator, events: RecordingListener
) -> None:
    server = await start()
    await up_to_live(server)
    for kind in SLOW:
        simulator.inject("*", Fault(kind))

    waiting = [asyncio.create_task(saying(server)) for _ in SLOW]
    await simulator.until(lambda: simulator.in_flight == len(SLOW))
    meanwhile = await saying(server)
    unanswered = [not each.done() for each in waiting]
    answers = await asyncio.gather(*waiting)

    assert (written_by(meanwhile), unanswered) == (("live", None), [True, True])
    assert [written_by(answer) for answer in answers] == [("cache", "live_timeout")] * 2
    assert attempts(events) == [(1, ""), (1, "ModelTimeout"), (1, "ModelTimeout")]


# What people are told, and the error that it is to us; the gateway's own tests have every other fault.
REASONS = {
    FaultKind.RATE_LIMITED: ("live_rate_limited", "ModelRateLimited"),
    FaultKind.OVERLOADED: ("live_overloaded", "ModelOverloaded"),
    FaultKind.RESET: ("live_connection_failed", "ModelConnectionFailed"),
    FaultKind.TRUNCATED_BODY: ("live_bad_response", "ModelBadResponse"),
    FaultKind.HTML: ("live_bad_response", "ModelBadResponse"),
    FaultKind.REFUSAL: ("live_refused", "ModelRefused"),
    FaultKind.MAX_TOKENS: ("live_truncated", "ModelTruncated"),
}
RETRIED = [FaultKind.RATE_LIMITED, FaultKind.OVERLOADED, FaultKind.RESET]
PAID_FOR = [kind for kind in REASONS if kind not in RETRIED]


@pytest.mark.parametrize("kind", RETRIED)
async def test_429_5xx_or_reset_for_good_two_attempts_then_the_breaker(
    server: Server, simulator: Simulator, events: RecordingListener, kind: FaultKind
) -> None:
    simulator.inject("*", Fault(kind, count=None))
    reason, error_type = REASONS[kind]

    answers = [written_by(await saying(server)) for _ in range(FAILURES_TO_OPEN + 2)]

    assert answers == [("database", reason)] * FAILURES_TO_OPEN + [("database", "live_breaker_open")] * 2
    assert attempts(events) == [(1, error_type), (2, error_type)] * FAILURES_TO_OPEN
    assert not events.of(Unexpected)


async def test_429_with_a_long_retry_after_cools_down_for_just_that_long(
    monotonic: Clock, start: Start, only_models: OnlyModels, simulator: Simulator
) -> None:
    server = await start(catalogue=only_models(HAIKU))
    await up_to_live(server)
    simulator.inject("*", Fault(FaultKind.RATE_LIMITED, retry_after="20"))

    answers = [await saying(server), await saying(server)]
    monotonic.forward(20)
    answers += [await saying(server)]

    reasons = [("database", "live_rate_limited"), ("database", "live_breaker_open"), ("live", None)]
    assert [written_by(answer) for answer in answers] == reasons
    assert answers[1]["metrics"]["apiLatency"] is None
    assert len(simulator.calls) == 2


async def test_429_of_a_spend_limit_is_not_retried_and_cools_down_for_long(
    monotonic: Clock, start: Start, only_models: OnlyModels, simulator: Simulator
) -> None:
    server = await start(catalogue=only_models(GPT))
    await up_to_live(server)
    simulator.inject("*", Fault(FaultKind.SPEND_LIMIT))

    answers = [await saying(server)]
    monotonic.forward(COOL_DOWN_SECONDS)
    answers += [await saying(server)]
    monotonic.forward(LONG_COOL_DOWN_SECONDS - COOL_DOWN_SECONDS)
    answers += [await saying(server)]

    reasons = [("database", "live_spend_limit"), ("database", "live_breaker_open"), ("live", None)]
    assert [written_by(answer) for answer in answers] == reasons
    assert len(simulator.calls) == 2


@pytest.mark.parametrize("kind", PAID_FOR)
async def test_what_was_paid_for_is_neither_retried_nor_stored(
    server: Server, simulator: Simulator, events: RecordingListener, tmp_path: Path, kind: FaultKind
) -> None:
    simulator.inject("*", Fault(kind))
    reason, error_type = REASONS[kind]

    answer = await saying(server)

    assert written_by(answer) == ("database", reason)
    assert attempts(events) == [(1, error_type)]
    assert written_by_models(tmp_path) == 0
    assert await spent(server) > 0


async def test_dns_failure_is_retried_once_and_costs_nothing(
    start: Start, only_models: OnlyModels, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = only_models(GPT, base_url="http://nowhere.invalid/v1", key_parameter=None)
    server = await start(catalogue=nowhere, simulator="off")
    await up_to_live(server)
    monkeypatch.setattr(socket, "getaddrinfo", _unknown_name(socket.getaddrinfo))

    answer = await saying(server)

    assert written_by(answer) == ("database", "live_connection_failed")
    assert attempts(events) == [(1, "ModelUnreachable"), (2, "ModelUnreachable")]
    assert await spent(server) == 0


def _unknown_name(getaddrinfo: Any) -> Any:
    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        if str(host).endswith("invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, *rest, **options)

    return resolve


async def spent(server: Server) -> int:
    """The nanodollars spent today."""
    return (await server.resources.store.spend(spend_window(time.time()))).day


def written_by_models(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "sayings.db")) as database:
        return int(database.execute("SELECT count(*) FROM main_humor WHERE model IS NOT NULL").fetchone()[0])
