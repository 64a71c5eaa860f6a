"""`python -m tests.chaos` (`make chaos`) soaks the server in traffic and faults, and says what came of it."""

import argparse
import asyncio
import secrets
import shutil
import sys

from rich.console import Console

from service.simulator import Simulator
from tests.chaos.plan import FAULT_SHARE, Plan, draw
from tests.chaos.processes import ROOT
from tests.chaos.report import musts, show
from tests.chaos.soak import Run, read_contract, soak
from tests.chaos.systems import on_dynamodb, on_sqlite

DIRECTORY = ROOT / "build" / "chaos"
# US dollars: enough for a few comparisons at once, and little enough to be reached before the end.
LEAST_CAP, CAP_PER_SECOND = 0.05, 0.0015
SIMULATOR_SPEED = 0.3
# An emulator of DynamoDB takes no more.
VISITS_PER_SECOND = {"sqlite": 40.0, "dynamodb": 10.0}


async def run_one(plan: Plan, store: str) -> Run:
    """The system on that store under the plan, held to the errors that it documents itself."""
    directory = DIRECTORY / store
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    opened = on_dynamodb if store == "dynamodb" else on_sqlite
    simulator, cap = Simulator(seed=plan.seed, speed=SIMULATOR_SPEED), LEAST_CAP + CAP_PER_SECOND * plan.seconds
    async with simulator.serve() as url, opened(directory, url, cap, plan.seed) as system:
        contract = await read_contract(system.machine.port)
        return await soak(system, plan, simulator, contract, cap)


async def run(options: argparse.Namespace, console: Console) -> int:
    """The exit code: 1 when something that has to be so is not."""
    plan = draw(options.seed, options.minutes * 60, VISITS_PER_SECOND[options.store])
    console.print(f"Seed {options.seed}: {plan.seconds:.0f} s on {options.store}, {FAULT_SHARE:.0%} faults")
    found = await run_one(plan, options.store)
    show(found, console)
    held = all(must.holds for must in musts(found))
    console.print(f"Seed {options.seed}: {'everything held' if held else 'something did not hold'}")
    return 0 if held else 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="of an earlier run, to repeat it")
    parser.add_argument("--store", choices=list(VISITS_PER_SECOND), default="sqlite")
    sys.exit(asyncio.run(run(parser.parse_args(), Console())))


if __name__ == "__main__":
    main()
