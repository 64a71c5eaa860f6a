"""`python -m service.simulator` serves the simulator alone."""

import argparse
import asyncio
import signal
import sys

from service.llm.vendors import VENDORS
from service.simulator import Simulator


async def serve(simulator: Simulator, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with simulator.serve(host, port) as root:
        urls = " ".join(root + vendor.simulator_path for vendor in VENDORS.values())
        print(f"base URLs: {urls}", flush=True)  # noqa: T201 - the one line it promises
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m service.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--speed", type=float, default=1.0, help="multiplies every latency; 0 answers at once")
    options = parser.parse_args()
    try:
        asyncio.run(serve(Simulator(seed=options.seed, speed=options.speed), options.host, options.port))
    except (OSError, ValueError) as error:
        sys.exit(f"simulator: {error}")


if __name__ == "__main__":
    main()
