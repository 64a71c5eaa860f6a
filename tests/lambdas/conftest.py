"""A function's process on an SQLite file and the simulator, with what it tells remembered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.catalogue.collection import collection
from service.config import Settings
from telemetry.events import Listener
from telemetry.lambda_setup import LambdaTelemetry
from tests.lambdas.tables import tables_with
from tests.support import RecordingListener

Start = Callable[..., LambdaProcess]


def told_to(listener: Listener) -> LambdaTelemetry:
    """Telemetry of which nothing goes out."""
    telemetry = LambdaTelemetry({"OTEL_SDK_DISABLED": "true"})
    telemetry.listener = listener
    return telemetry


@pytest.fixture
def start(tmp_path: Path, events: RecordingListener) -> Iterator[Start]:
    """Starts processes and lets go of them at the end; without another setting the models are at a dead address.

    Nor is there a limit on the votes of the one address that all tests have.
    """
    started: list[LambdaProcess] = []
    usual = {"SAYINGS_STORE": f"sqlite:///{tmp_path}/sayings.db", "SAYINGS_SIMULATOR": "http://127.0.0.1:1"}
    usual["SAYINGS_VOTE_RATE"] = "off"

    def start(**environ: str) -> LambdaProcess:
        chosen = usual | environ
        started.append(LambdaProcess(Settings.from_env(chosen), chosen, told_to(events)))
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
