"""`python -m tests.chaos` (`make chaos`) soaks the server in traffic and faults, and says what came of it."""

import argparse
import asyncio
import secrets
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rich.console import Console

from service.simulator import Simulator
from tests.chaos.contract import Contract
from tests.chaos.plan import FAULT_SHARE, Plan, draw
from tests.chaos.plot import svg
from tests.chaos.processes import ROOT
from tests.chaos.report import musts, show
from tests.chaos.soak import Run, read_contract, soak
from tests.chaos.systems import System, naive, ours_on_dynamodb, ours_on_sqlite

DIRECTORY = ROOT / "build" / "chaos"
# US dollars: enough for a few comparisons at once, and little enough to be reached before the end.
LEAST_CAP, CAP_PER_SECOND = 0.05, 0.0015
SIMULATOR_SPEED = 0.3
# An emulator of DynamoDB takes no more.
VISITS_PER_SECOND = {"sqlite": 40.0, "dynamodb": 10.0}

Opened = Callable[[Path, str, float, int], AbstractAsyncContextManager[System]]


async def run_one(opened: Opened, plan: Plan, directory: Path, contract: Contract | None) -> tuple[Run, Contract]:
    """One system under the plan, and the errors it is held to: its own unless others are given."""
    _empty(directory)
    simulator, cap = Simulator(seed=plan.seed, speed=SIMULATOR_SPEED), LEAST_CAP + CAP_PER_SECOND * plan.seconds
    async with simulator.serve() as url, opened(directory, url, cap, plan.seed) as system:
        contract = contract or await read_contract(system.machine.port)
        return await soak(system, plan, simulator, contract, cap), contract


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


async def run_all(options: argparse.Namespace, console: Console) -> int:
    """The exit code: 1 when something that has to be so is not."""
    plan = draw(options.seed, options.minutes * 60, VISITS_PER_SECOND[options.store])
    console.print(f"Seed {options.seed}: {plan.seconds:.0f} s on {options.store}, {FAULT_SHARE:.0%} faults")
    ours = ours_on_dynamodb if options.store == "dynamodb" else ours_on_sqlite
    run, contract = await run_one(ours, plan, DIRECTORY / options.store, None)
    runs = [run]
    if options.naive:
        show(runs, console)
        console.print("And the same for the naive server …")
        runs.append((await run_one(naive, plan, DIRECTORY / "naive", contract))[0])
    show(runs, console)
    for each, name in zip(runs, (options.store, "naive"), strict=False):
        path = DIRECTORY / f"{name}.svg"
        path.write_text(svg(each, f"{each.name}, seed {plan.seed}"))
        console.print(f"The course of it: {path.relative_to(ROOT)}")
    held = all(must.holds for must in musts(run))
    console.print(f"Seed {options.seed}: {'everything held' if held else 'something did not hold'}")
    return 0 if held else 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="of an earlier run, to repeat it")
    parser.add_argument("--store", choices=list(VISITS_PER_SECOND), default="sqlite")
    parser.add_argument("--naive", action="store_true", help="and the same for a server of defaults")
    sys.exit(asyncio.run(run_all(parser.parse_args(), Console())))


if __name__ == "__main__":
    main()
