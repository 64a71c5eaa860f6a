"""Votes on one saying as ever new voters until it is killed, and prints each vote once it is acknowledged.

Run as `python -m tests.store.voting_process <database> <name>`: voters are called `<name>-0`, `<name>-1` …
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

from service.domain import VoteStatus
from service.store.sqlite import SqliteStore
from tests.store.builders import NEGATIVE, POSITIVE, generated, vote

SAYING = generated("voted on until the process is killed")


async def main(database: str, name: str) -> None:
    store = await SqliteStore.open(Path(database))
    await store.put_sayings([SAYING])
    for number in count():
        feedback = NEGATIVE if number % 3 == 0 else POSITIVE
        result = await store.vote(vote(SAYING, f"{name}-{number}", feedback))
        assert result is not None
        assert result.status is VoteStatus.RECORDED
        sys.stdout.write(f"{name}-{number} {feedback}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
