"""The simulator with latencies that do not vary: every call takes its model's median. `simulator.py PORT SPEED`."""

import asyncio
import sys
from random import Random
from unittest.mock import patch

from service.simulator.__main__ import serve
from service.simulator.app import Simulator
from service.simulator.profiles import Profile


def median_seconds(profile: Profile, _output_tokens: int, _rng: Random) -> float:
    return profile.median_seconds


if __name__ == "__main__":
    with patch.object(Profile, "seconds", median_seconds):
        asyncio.run(serve(Simulator(seed=1, speed=float(sys.argv[2])), "127.0.0.1", int(sys.argv[1])))
