"""The simulator as the vendors' SDKs see it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import anthropic
import httpx2
import openai
import pytest

from service.simulator import Simulator
from tests.simulator.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    simulator = Simulator(seed=7, speed=0)
    async with AsyncExitStack() as stack:
        root = await stack.enter_async_context(simulator.serve())
        http = await stack.enter_async_context(
            httpx2.AsyncClient(follow_redirects=False, trust_env=False, verify=False, timeout=10)
        )
        claude = anthropic.AsyncAnthropic(
            api_key="claude-key", base_url=f"{root}/anthropic", max_retries=0, http_client=http
        )
        gpt = openai.AsyncOpenAI(
            api_key="sk-secret-gpt1", base_url=f"{root}/openai/v1", max_retries=0, http_client=http
        )
        yield World(simulator, root, http, claude, gpt)
