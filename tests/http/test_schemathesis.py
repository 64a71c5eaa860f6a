"""Schemathesis against the server, by its OpenAPI document: all default checks, all phases, no operation left out.

Of a vote, two things are required that JSON Schema cannot say: see schemathesis_hooks.py. A POST /compare is answered
as JSON or as a stream, by the Accept header, so that there is a run for each; of a stream Schemathesis checks every
event and the JSON in it, but follows no link out of it. The run is the same every time; another one is made by
`pytest --hypothesis-seed=` with a number, or `random`.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.events import RequestServed, Unexpected
from tests.http.conftest import Server
from tests.store.builders import collected
from tests.support import with_timeouts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
HOOKS = ROOT / "tests" / "http" / "schemathesis_hooks.py"
EXAMPLES = "15"


@pytest.fixture
def settings() -> dict[str, Any]:
    """No limits: what they answer is documented, and would hide all that is behind them."""
    return {"vote_rate": "off", "compare_rate": "off", "daily_cap_usd": 1e6, "hourly_cap_usd": 1e6}


@with_timeouts(comparison_begin=0.0)
@pytest.mark.parametrize(
    ("accepted", "unreached"),
    [("application/json", set()), ("text/event-stream", {"getCompare", "postCompareVote"})],
)
async def test_every_answer_is_as_described_whatever_is_asked(
    server: Server, accepted: str, unreached: set[str], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    await server.known()
    await server.known(collected("Amazon S3 keeps what AWS Lambda forgets."))
    seed = pytestconfig.getoption("--hypothesis-seed") or "1"

    status, told = await _run_schemathesis(server.url, tmp_path, accepted, seed)

    served = server.events.of(RequestServed)
    assert status == 0, told
    assert not server.events.of(Unexpected)
    assert [event for event in served if event.status >= 500] == []
    operations = {route.operation for route in server.resources.endpoints.routes}
    assert operations - {event.operation for event in served if event.status == 200} == unreached


async def _run_schemathesis(url: str, folder: Path, accepted: str, seed: str) -> tuple[int | None, str]:
    """Run Schemathesis; returns its exit status and its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--no-color",
        *("--max-examples", EXAMPLES), *(() if seed == "random" else ("--seed", seed)),
        *("--header", f"Accept: {accepted}"), *("--header", f"Cookie: sayings_voter={'v' * 32}"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": str(HOOKS)},
    )  # fmt: skip
    told, _ = await process.communicate()
    return process.returncode, told.decode()
