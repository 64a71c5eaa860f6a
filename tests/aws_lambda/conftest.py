"""A function's process on an SQLite file and the simulator, with a listener that records its events."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.catalogue.collection import collection
from service.config import Settings
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import Listener
from telemetry.lambda_setup import LambdaTelemetry
from tests.aws_lambda.tables import tables_with
from tests.support import RecordingListener

Start = Callable[..., LambdaProcess]


def telemetry_to(listener: Listener) -> LambdaTelemetry:
    """Telemetry that sends nothing and passes every event to the listener."""
    telemetry = LambdaTelemetry({"OTEL_SDK_DISABLED": "true"})
    telemetry.listener = listener
    return telemetry


@pytest.fixture
def start(tmp_path: Path, events: RecordingListener) -> Iterator[Start]:
    """Start processes with timeouts and an environment, and close them at the end.

    Unless the environment says otherwise, the models are at a dead address, and votes are not limited because all of
    them come from one address.
    """
    started: list[LambdaProcess] = []
    usual = {"SAYINGS_STORE": f"sqlite:///{tmp_path}/sayings.db", "SAYINGS_SIMULATOR": "http://127.0.0.1:1"}
    usual["SAYINGS_VOTE_RATE"] = "off"

    def start(*, timeouts: Timeouts = DEFAULT_TIMEOUTS, **environ: str) -> LambdaProcess:
        chosen = usual | environ
        settings = msgspec.structs.replace(Settings.from_env(chosen), timeouts=timeouts)
        started.append(LambdaProcess(settings, chosen, telemetry_to(events)))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
def api(start: Start) -> Api:
    return Api(start())


@pytest.fixture
def on_dynamodb(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a function whose tables hold twenty sayings of the collection."""
    return tables_with(collection()[:20], moto_url, monkeypatch)
