"""Spends on models by every kind of call, in parallel with other such processes, and prints its ledger.

Run as `python -m tests.spending_process <store> <simulator's URL> <cap in nanodollars> <calls>`. A line is
`<began> <ended> <nanodollars> <taken>` on the machine's monotonic clock; `taken` is 0 for a reservation refused.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from service.catalogue.models import NANOS_PER_DOLLAR, Model
from service.config import Settings
from service.domain import CallKind
from service.errors import DependencyError
from service.resources import Resources, open_resources
from service.store.base import Spend, SpendWindow, Store
from tests.aws import REGION
from tests.support import PATIENT, RecordingListener

SERVICES = ("Amazon S3", "AWS Lambda", "Amazon SQS")
AT_ONCE = 8


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def keep_a_ledger(store: Store) -> None:
    """Print every reservation and settlement."""
    reserve, adjust = store.reserve_spend, store.adjust_spend

    async def reserve_spend(
        window: SpendWindow, amount: int, *, caps: Spend, shares: Mapping[str, Spend]
    ) -> Spend | None:
        began = time.monotonic()
        held = await reserve(window, amount, caps=caps, shares=shares)
        tell(f"{began} {time.monotonic()} {amount} {int(held is not None)}")
        return held

    async def adjust_spend(window: SpendWindow, difference: int, *, shares: Iterable[str]) -> None:
        began = time.monotonic()
        await adjust(window, difference, shares=shares)
        tell(f"{began} {time.monotonic()} {difference} 1")

    patched: Any = store
    patched.reserve_spend, patched.adjust_spend = reserve_spend, adjust_spend


async def compare(resources: Resources, models: list[Model]) -> None:
    gateway = resources.gateway
    advance = await gateway.reserve(models, SERVICES[:1])
    asking = (
        gateway.write(model, SERVICES[:1], kind=CallKind.COMPARE, timeout=20.0, advance=advance) for model in models
    )
    await asyncio.gather(*asking, return_exceptions=True)
    await gateway.release(advance)


async def spend(resources: Resources, models: list[Model]) -> None:
    try:
        if random.random() < 0.5:
            await compare(resources, models)
        else:
            kind = random.choice([CallKind.LIVE, CallKind.ROUND])
            services = SERVICES if kind is CallKind.ROUND else SERVICES[:1]
            await resources.gateway.write(random.choice(models), services, kind=kind, timeout=20.0)
    except DependencyError:
        pass  # refused, failed or too many at once: what it did with the money is in the ledger


async def main(store: str, simulator: str, cap: str, calls: str) -> None:
    dollars = int(cap) / NANOS_PER_DOLLAR
    settings = Settings(
        store=store,
        simulator=simulator,
        daily_cap_usd=dollars,
        hourly_cap_usd=dollars,
        aws_region=REGION,
        timeouts=PATIENT,
    )
    async with open_resources(settings, os.environ, RecordingListener()) as resources:
        models = [model for model in resources.line_up if model.vendor == "openai"]  # one SDK to import
        await asyncio.gather(*(resources.gateway.load([model]) for model in models))
        keep_a_ledger(resources.store)
        budget: Any = resources.gateway._budget
        budget._purposes = dict.fromkeys(CallKind, 1.0)  # this is about the cap, which all of them reach together
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        left = iter(range(int(calls)))

        async def client() -> None:
            for _ in left:
                await spend(resources, models)

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
