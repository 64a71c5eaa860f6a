"""The lifetime of a Lambda environment: one event loop and one set of resources for all its invocations."""

import asyncio
import os
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from service.config import Settings
from service.errors import CloudSayingsError, InvocationFailed
from service.resilience.tasks import leave_nothing_running
from service.resilience.timeouts import deadline, within
from service.resources import Resources, open_resources
from telemetry.events import Listener, Unexpected
from telemetry.hooks import take_over_errors
from telemetry.lambda_setup import LambdaTelemetry, open_lambda_telemetry
from telemetry.logs import configure_logging
from telemetry.outbound import forget_proxies_of_others

T = TypeVar("T")

# How an environment starts because a request waits for it. It starts otherwise ahead of requests, or for a snapshot.
_ON_DEMAND = "on-demand"


class Context(Protocol):
    """The part of Lambda's context object that the service uses."""

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int: ...


class LambdaProcess:
    """Runs coroutines on the environment's loop. Raises ConfigError when it cannot start."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], telemetry: LambdaTelemetry) -> None:
        self.telemetry = telemetry
        self._timeouts = settings.timeouts
        self._listener = listener = telemetry.listener
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        opening = self._stack.enter_async_context(open_resources(settings, environ, listener))
        try:
            with _without_library_text("start", listener):
                self.resources: Resources = self._runner.run(self._to_the_end(opening))
        except BaseException:
            self._runner.close()
            raise

    def run(self, work: Coroutine[Any, Any, T], context: Context) -> T:
        """Run one invocation's work. The invocation's remaining time limits every deadline in it."""
        self.telemetry.begin(context.aws_request_id, context.invoked_function_arn)
        seconds = context.get_remaining_time_in_millis() / 1000 - self._timeouts.invocation_reserve
        try:
            with deadline(seconds), _without_library_text("invocation", self._listener):
                return self._runner.run(self._to_the_end(work), context=copy_context())
        finally:
            self.telemetry.flush()  # afterwards Lambda may freeze the environment and never resume it

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            await leave_nothing_running(within(self._timeouts.leftovers))

    def load_all(self) -> None:
        """Load what the first answers do not need as well. It takes seconds."""
        self._runner.run(self._load_all())

    async def _load_all(self) -> None:
        self.resources.preload()
        await self.resources.gateway.load(self.resources.line_up)

    def close(self) -> None:
        """Close the resources and the loop. Lambda never does so, but tests do."""
        self._runner.run(self._stack.aclose())
        self._runner.close()


def start(environ: Mapping[str, str]) -> LambdaProcess:
    """Start the process of a Lambda environment, with its log on stdout. Raises ConfigError."""
    configure_logging()
    if in_lambda():  # elsewhere the process belongs to somebody else
        take_over_errors()
        forget_proxies_of_others()
    settings = Settings.from_env(environ)
    configure_logging(settings.log_level)
    process = LambdaProcess(settings, environ, open_lambda_telemetry(environ))
    if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", _ON_DEMAND) != _ON_DEMAND:
        process.load_all()
    return process


def in_lambda() -> bool:
    """Whether this module is being imported by Lambda, whose start has more time and CPU than the first request."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


@contextmanager
def _without_library_text(operation: str, listener: Listener) -> Iterator[None]:
    """Raise only errors with our own text, because Lambda logs the text of an error, and a library's may hold a key."""
    try:
        yield
    except CloudSayingsError as error:
        raise error from None
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        listener.emit(Unexpected(operation, error))
        raise InvocationFailed("Something went wrong on our side; the log has the stack.") from None
