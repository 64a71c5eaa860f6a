"""A receiver, and a service that sends to it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.metrics import _internal
from opentelemetry.util._once import Once

from telemetry import traces
from tests.telemetry.composition import Composition
from tests.telemetry.receiver import Receiver, grpc_receiver
from tests.test_processes import machine

__all__ = ["machine"]


@pytest.fixture(autouse=True)
def no_provider_is_left_behind() -> Iterator[None]:
    """Forget the providers after each test, because a process may register them only once."""
    textmap = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(textmap)
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    _internal._METER_PROVIDER, _internal._METER_PROVIDER_SET_ONCE = None, Once()
    _internal._PROXY_METER_PROVIDER = _internal._ProxyMeterProvider()
    context.attach(Context())


@pytest.fixture(autouse=True)
def no_trace_is_left_behind() -> Iterator[None]:
    """Reset the trace after each test, because a test that is no coroutine has no context of its own."""
    yield
    traces._current.set(None)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with grpc_receiver() as receiver:
        yield receiver


@pytest.fixture
def nowhere(tmp_path: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch) -> Composition:
    """A service with the simulator behind it, whose telemetry goes nowhere yet; nothing is sampled by chance."""
    composition = Composition(tmp_path, monkeypatch)
    composition.set(OTEL_TRACES_SAMPLER_ARG="0")
    composition.settings["simulator"] = simulator_url
    return composition


@pytest.fixture
def composition(nowhere: Composition, receiver: Receiver) -> Composition:
    """A service that sends its telemetry to the receiver."""
    nowhere.patient()
    nowhere.send_to(receiver.url)
    return nowhere
