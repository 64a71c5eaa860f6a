"""One environment, however many invocations: nothing piles up, every deadline holds, a thaw disturbs nothing."""

import asyncio
import gc
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401 - imported beforehand: it takes seconds, and a live call has only eight
import openai  # noqa: F401
import pytest

from service.aws_lambda import handler as lambda_handler
from service.aws_lambda import runtime as lambda_process
from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.errors import ConfigError, InvocationFailed
from service.keys.key_store import KeyStore
from service.llm.gateway import Gateway
from service.simulator import Fault, FaultKind, Simulator
from telemetry.events import ModelCalled, Unexpected
from tests.aws import REGION
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Asked, Remaining
from tests.logging_capture import captured_log
from tests.support import PATIENT, RecordingListener, model_saying

SAYINGS = Asked("GET", "/sayings")
COMPARE = Asked("POST", "/compare", b"{}", {"Content_Type": "application/json"})
# A live saying needs seven seconds of an invocation, a comparison four.
BRIEF = replace(
    PATIENT, live_saying=1.5, live_model=1.0, saying_read=5.0, comparison=1.0, comparison_keeping=2.5, store_write=3.0,
)  # fmt: skip
# The serves that could not be written are tried once more when a process is closed.
AND_CLOSES = replace(PATIENT, serve_flush=1.0)
COOKIE = {"Cookie": f"sayings_voter={'v' * 32}", "Content_Type": "application/json"}


def ask(api: Api, asked: Asked, seconds: float = 29.0) -> tuple[int, dict[str, Any]]:
    result = api.handle(asked.v2(), Remaining(seconds))
    return result["statusCode"], json.loads(result["body"])


def vote_on(saying: dict[str, Any], opinion: str) -> Asked:
    vote = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": opinion}
    return Asked("POST", "/feedback", json.dumps(vote).encode(), COOKIE)


async def on_the_loop() -> tuple[int, int]:
    """Which loop this is, and how many tasks it has."""
    return id(asyncio.get_running_loop()), len(asyncio.all_tasks())


@pytest.fixture
def the_function(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module's own process, let go of at the end."""
    lambda_handler._api.cache_clear()
    with captured_log():
        yield
        lambda_handler._api()._process.close()
    lambda_handler._api.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("the_function")
@pytest.mark.parametrize("store", ["sqlite", "dynamodb"])
def test_a_thousand_warm_invocations_leave_nothing_behind(
    on_dynamodb: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    # Given a function with a warm pool, and what is asked of it
    own = {} if store == "dynamodb" else {"SAYINGS_STORE": f"sqlite:///{tmp_path}/sayings.db"}
    for name, value in (on_dynamodb | {"SAYINGS_SIMULATOR": "off", "SAYINGS_LOG_LEVEL": "ERROR"} | own).items():
        monkeypatch.setenv(name, value)
    saying = json.loads(lambda_handler.handler(SAYINGS.v2(), Remaining())["body"])
    api = lambda_handler._api()
    warm = model_saying("A warm saying on Amazon S3.", created_at=time.time())
    api._process.resources.pool.add([warm])
    withdrawal = Asked("DELETE", f"/feedback/{saying['sayingId']}", headers=COOKIE)
    asked = [SAYINGS.v1(), *[SAYINGS.v2()] * 44, vote_on(saying, "POSITIVE").v1(), withdrawal.v2()]
    asked += [Asked("GET", "/nowhere").v1(), {"no": "event"}, {"warmup": True}]

    def invoke(times: int) -> tuple[tuple[int, int], int, int]:
        """Ask everything that many times; then the loop and its tasks, open files, and objects."""
        for event in asked * times:
            result = lambda_handler.handler(event, Remaining())
            assert result.get("statusCode", 200) < 500
        loop_and_tasks = api._process.run(on_the_loop(), Remaining())
        gc.collect()
        return loop_and_tasks, len(os.listdir("/dev/fd")), len(gc.get_objects())  # noqa: PTH208 - it closes what it opens

    # When there have been a few, and a thousand more
    loop_and_tasks, files, objects = invoke(4)
    later = invoke(20)

    # Then it is the same loop with no task but the one that looks, and far less than a file or an object for each
    # invocation: a connection more in the pool, and the 200 references to closed cursors that SQLite lets come together
    assert later[0] == loop_and_tasks
    assert later[0][1] == 1
    assert later[1] < files + 10
    assert later[2] < objects + 500


class TestTimeLeft:
    """The invocation's end comes before a dependency's own timeout, which here is longer than the test may take."""

    LIMIT_SECONDS = 60.0

    @pytest.fixture(autouse=True)
    def in_time(self) -> Iterator[None]:
        started = time.monotonic()
        yield
        assert time.monotonic() - started < self.LIMIT_SECONDS / 2

    @pytest.fixture
    def silent_aws(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
        """An AWS that takes connections and never answers."""
        with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
            yield {"SAYINGS_STORE": "dynamodb://", "AWS_REGION": REGION}

    @pytest.mark.parametrize("seconds", [1.0, 0.3, 0.0])
    def test_a_store_that_hangs(
        self, silent_aws: dict[str, str], start: Start, events: RecordingListener, seconds: float
    ) -> None:
        api = Api(start(timeouts=AND_CLOSES, **silent_aws))

        status, saying = ask(api, SAYINGS, seconds)
        voted, refusal = ask(api, vote_on(saying, "POSITIVE"), seconds)
        compared, nothing = ask(api, COMPARE, seconds)
        counted, unknown = ask(api, Asked("GET", "/stats"), seconds)

        assert (status, saying["origin"], saying["degraded"]) == (200, "builtin", "database_timeout")
        assert (voted, refusal["error"]["code"]) == (503, "store_unavailable")
        assert (compared, nothing["error"]["code"]) == (503, "comparison_unavailable")
        assert (counted, unknown["error"]["code"]) == (503, "statistics_unavailable")
        assert not events.of(Unexpected)

    def test_a_store_that_hangs_beside_the_requests(
        self, silent_aws: dict[str, str], start: Start, events: RecordingListener
    ) -> None:
        api = Api(start(timeouts=AND_CLOSES, **silent_aws))

        warm = api.handle({"warmup": True}, Remaining(1.0))
        answers = [ask(api, Asked("GET", "/models"), 0.6)[0] for _ in range(3)]

        assert (warm, answers) == ({"warm": True}, [200, 200, 200])
        assert not events.of(Unexpected)

    async def test_a_model_that_hangs(
        self, simulator: Simulator, simulator_url: str, start: Start, events: RecordingListener
    ) -> None:
        simulator.inject("*", Fault(FaultKind.HANG, count=None))
        api = Api(await asyncio.to_thread(start, timeouts=BRIEF, SAYINGS_SIMULATOR=simulator_url))

        answers = [(await asyncio.to_thread(ask, api, SAYINGS))[1] for _ in range(4)]
        status, compared = await asyncio.to_thread(ask, api, COMPARE)

        assert [each["origin"] for each in answers] == ["database"] * 4
        # Where the import of the SDK has taken longer than what was left, the model is not to blame.
        assert answers[3]["degraded"] in ("live_timeout", "live_cut_short", "live_not_asked")
        assert (status, {slot["error"] for slot in compared["slots"]}) == (200, {"timeout"})
        assert not events.of(Unexpected)

    @pytest.mark.parametrize("seconds", [3.9, 2.0, 0.0])
    async def test_a_model_that_would_have_too_little_time_is_not_asked(
        self, simulator: Simulator, simulator_url: str, start: Start, events: RecordingListener, seconds: float
    ) -> None:
        api = Api(await asyncio.to_thread(start, timeouts=BRIEF, SAYINGS_SIMULATOR=simulator_url))

        answers = [(await asyncio.to_thread(ask, api, SAYINGS, seconds))[1] for _ in range(4)]
        status, refusal = await asyncio.to_thread(ask, api, COMPARE, seconds)

        assert answers[3]["degraded"] == "live_not_asked"
        assert (status, refusal["error"]["code"]) == (503, "comparison_unavailable")
        assert not simulator.calls
        assert not events.of(ModelCalled)
        assert not any(breaker._failures for breaker in api._process.resources.gateway._breakers.values())


class TestStart:
    @pytest.mark.parametrize(
        ("environ", "name"),
        [
            ({"SAYINGS_STORE": "postgres://x"}, "SAYINGS_STORE"),
            ({"SAYINGS_STORE": "sqlite:////nowhere/at/all.db"}, "SAYINGS_STORE"),
            ({"SAYINGS_STORE": "dynamodb://"}, "AWS_REGION"),
            ({"SAYINGS_KEYS": "ssm"}, "AWS_REGION"),
            ({"SAYINGS_ROUNDS": "lambda:"}, "SAYINGS_ROUNDS"),
            ({"SAYINGS_DAILY_CAP_USD": "nan"}, "SAYINGS_DAILY_CAP_USD"),
            ({"SAYINGS_CATALOGUE": "/nowhere.json"}, "SAYINGS_CATALOGUE"),
            ({"SAYINGS_TYPO": "1"}, "SAYINGS_TYPO"),
        ],
        ids=str,
    )
    def test_a_bad_setting_ends_it_with_its_name(self, environ: dict[str, str], name: str) -> None:
        with captured_log(), pytest.raises(ConfigError, match=f"^{name}: "):
            lambda_process.start({"SAYINGS_SIMULATOR": "off"} | environ)

        gc.collect()  # a loop left open would be reported now

    def test_a_defect_ends_it_without_its_text(
        self, events: RecordingListener, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def trip(*_: object) -> None:
            raise RuntimeError("sk-secret")

        monkeypatch.setattr(lambda_process, "open_resources", lambda *_: _Tripping(trip))

        with pytest.raises(InvocationFailed) as failure:
            start()

        assert failure.value.__cause__ is None
        assert failure.value.__suppress_context__
        assert "secret" not in str(failure.value)
        assert [type(defect.error) for defect in events.of(Unexpected)] == [RuntimeError]


class _Tripping:
    """A context that cannot be entered."""

    def __init__(self, trip: Any) -> None:
        self._trip = trip

    async def __aenter__(self) -> None:
        self._trip()

    async def __aexit__(self, *_: object) -> None:
        """Never entered."""


async def _origins(api: Api, count: int) -> list[str]:
    return [(await asyncio.to_thread(ask, api, SAYINGS))[1]["origin"] for _ in range(count)]


class Frozen:
    """Python's monotonic clock, which jumps when the environment thaws."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._real = time.monotonic

    def __call__(self) -> float:
        return self._real() + self.seconds


async def test_an_hour_frozen_does_no_harm(
    simulator_url: str, start: Start, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a function that has served from everywhere
    clock = Frozen()
    monkeypatch.setattr(time, "monotonic", clock)
    for user in (KeyStore, Gateway):
        defaults = user.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "clock", clock)
    process: LambdaProcess = await asyncio.to_thread(start, SAYINGS_SIMULATOR=simulator_url, SAYINGS_LIVE_EVERY="6")
    api = Api(process)
    before = await _origins(api, 6)

    # When it is frozen for an hour
    clock.seconds += 3600.0
    after = await _origins(api, 6)

    # Then pool, keys, models and upkeep go on: the key that has expired meanwhile is fetched, the serves get written
    assert before == ["database", "database", "database", "live", "cache", "live"]
    assert after == ["cache", "cache", "cache", "cache", "cache", "live"]
    reading = process.resources.store.aggregates(since_hour="")
    counted = await asyncio.to_thread(process.run, reading, Remaining())
    assert sum(counted.serves.values()) >= 6
    assert not events.of(Unexpected)
