"""The first call to a model imports nothing, because somebody waits for it."""

import asyncio
import json
import sys

import pytest

from tests.deploy.dockerfile import ROOT

pytestmark = pytest.mark.slow


async def test_the_first_call_of_a_process_imports_nothing(simulator_url: str) -> None:
    by_name = simulator_url.replace("127.0.0.1", "localhost")  # a name is looked up, as a vendor's is

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.llm.first_call", by_name, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    imported, _ = await process.communicate()

    assert json.loads(imported) == []
