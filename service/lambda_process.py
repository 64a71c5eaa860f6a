"""The life of a Lambda environment: one event loop and one set of resources, however many invocations."""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeVar

from service.config import Settings
from service.deadline import deadline
from service.resources import Resources, open_resources
from telemetry.logs import LogListener, configure_logging

# Of the invocation's time: for the answer to be written and sent once it is decided.
RESERVE_SECONDS = 0.5

T = TypeVar("T")


class Context(Protocol):
    """What we use of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int: ...


class LambdaProcess:
    """Runs coroutines on the environment's loop. Raises ConfigError when it cannot start."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        settings = Settings.from_env(environ)
        configure_logging(settings.log_level)
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        opening = self._stack.enter_async_context(open_resources(settings, environ, LogListener()))
        try:
            self.resources: Resources = self._loop.run_until_complete(opening)
        except BaseException:
            self._loop.close()
            raise

    def run(self, work: Coroutine[Any, Any, T], context: Context) -> T:
        """Run one invocation's work; what is left of the invocation's time bounds every deadline in it."""
        with deadline(context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS):
            return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Let go of everything; Lambda never asks for it, tests do."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()


def in_lambda() -> bool:
    """Whether this module is being imported by Lambda, whose start has more time and CPU than the first request."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ
