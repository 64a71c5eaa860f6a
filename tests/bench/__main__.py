"""`python -m tests.bench [--quick] [row …]`: measure, print one table, write it to build/bench.json and draw the plots.

Every figure that depends on the machine is a ratio taken in one run, by turns. The exit code says whether everything
could be measured; whether the bars were held is in the table and in the file.
"""

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.environments import DeploymentFailed, environment, run
from tests.bench.measurement import FULL, QUICK, Measurement, Size, Tell
from tests.bench.processes import CORES, ROOT, Failed
from tests.bench.rows import aws, cold_start, compare, first_live, keys, memory, proxy, rounds, stats, warm
from tests.bench.table import table

# Of the table where there is no terminal.
WIDTH = 160

Row = Callable[[Size, Tell], list[Measurement]]

ROWS: dict[str, Row] = {
    "warm": warm.measure,
    "litellm": proxy.measure,
    "memory": memory.measure,
    "cold-start": cold_start.measure,
    "first-live": first_live.measure,
    "round": rounds.measure,
    "keys": keys.measure,
    "stats": stats.measure,
    "aws": aws.measure,
    "compare": compare.measure,
}


def measured(names: Sequence[str], size: Size, console: Console) -> tuple[list[Measurement], list[str]]:
    """Those rows, one after the other, and the names of those that could not be: nothing else is to run meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: list[Measurement] = []
    failed = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            try:
                found += ROWS[name](size, _teller(name, progress, task, console))
            except (Failed, DeploymentFailed, RuntimeError) as error:  # the others are measured all the same
                failed.append(name)
                console.print(f"{name} could not be measured: {error}", style="red", markup=False)
            progress.advance(task)
    return found, failed


def _teller(row: str, progress: Progress, task: Any, console: Console) -> Tell:
    def tell(what: str) -> None:
        progress.update(task, description=f"{row}: {what}")
        if not console.is_terminal:
            console.print(f"{row}: {what} …")

    return tell


def written(path: Path, found: Sequence[Measurement], failed: Sequence[str], *, quick: bool) -> None:
    bars = [each.held for each in found if each.bar is not None]
    path.parent.mkdir(exist_ok=True)
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
        "machine": {"cores": len(CORES), "python": platform.python_version(), "load": os.getloadavg()},
        "failed": list(failed),
        "all_held": all(bars),
        "measurements": [each.to_json() for each in found],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same rows with little of everything: noisy")
    parser.add_argument("rows", nargs="*", metavar="row", help=f"only these: {', '.join(ROWS)}")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.rows) - ROWS.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    # A thousand connections are a thousand files, here and in the servers.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for name in ("bench", "litellm"):
        environment(name)  # set up before anything is measured
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    found, failed = measured(asked.rows or list(ROWS), QUICK if asked.quick else FULL, console)
    console.print(table(found))
    path = ROOT / f"build/bench{'-quick' if asked.quick else ''}.json"
    written(path, found, failed, quick=asked.quick)
    console.print(f"Written to {path.relative_to(ROOT)}.")
    if not asked.rows and not failed:
        folder = ROOT / ("build/plots" if asked.quick else "tests/bench/plots")
        run([environment("bench") / "python", ROOT / "tests/bench/plot.py", path, folder], "The plots were not drawn")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
