"""Powertools' get_parameter: nanoseconds of a hit, and 10,000 calls at once before there is one.

Runs on the packages of requirements/bench.txt, SSM by AWS_ENDPOINT_URL: `powertools.py NAME HITS CALLS THREADS` prints
the nanoseconds; the SSM calls are counted where they arrive.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from aws_lambda_powertools.utilities.parameters import get_parameter

LIFE_SECONDS = 300


def key(name: str) -> str:
    found: str = get_parameter(name, decrypt=True, max_age=LIFE_SECONDS)
    return found


def main(name: str, hits: int, calls: int, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(key, [name] * calls))
    started = time.perf_counter_ns()
    for _ in range(hits):
        key(name)
    print((time.perf_counter_ns() - started) / hits)  # noqa: T201 - its output


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
