"""`python -m service.simulator` serves the simulator alone."""

import argparse
import asyncio
import signal
import sys
from datetime import date

from service.catalogue.models import load_catalogue
from service.errors import ConfigError
from service.llm.vendors import VENDORS
from service.simulator import Simulator


async def serve(simulator: Simulator, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, after printing the base URL of each vendor."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with simulator.serve(host, port) as root:
        urls = " ".join(root + vendor.simulator_path for vendor in VENDORS.values())
        print(f"base URLs: {urls}", flush=True)  # noqa: T201 - callers read the addresses from this line
        await stop.wait()


def main() -> None:
    options = _parser().parse_args()
    try:
        models = load_catalogue(VENDORS, options.catalogue)
        day = options.day and (lambda: options.day)
        simulator = Simulator(models=models, seed=options.seed, speed=options.speed, day=day)
        asyncio.run(serve(simulator, options.host, options.port))
    except (ConfigError, OSError, ValueError) as error:
        sys.exit(f"simulator: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--catalogue", default="", metavar="PATH", help="the models it knows; without it, the packaged")
    parser.add_argument("--seed", type=int, help="makes texts, ids and random faults repeatable")
    parser.add_argument("--speed", type=float, default=1.0, help="multiplies every latency; 0 answers at once")
    parser.add_argument("--day", type=date.fromisoformat, help="plays that day, which decides who has retired")
    return parser


if __name__ == "__main__":
    main()
