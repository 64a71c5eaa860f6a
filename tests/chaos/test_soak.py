"""A few seconds of the real thing."""

import asyncio
import sys

import pytest

from tests.chaos.processes import ROOT

pytestmark = pytest.mark.slow


async def test_a_short_soak_of_the_real_server_holds_and_names_its_seed() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--minutes", "0.13", "--seed", "7"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)

    told, _ = await process.communicate()

    lines = told.decode().splitlines()
    assert lines[0].startswith("Seed 7: ")
    assert process.returncode == 0, told.decode()
    assert lines[-1] == "Seed 7: everything held"
