"""Loads the collection into the store: `python -m service.seed`, as often as one likes."""

import argparse
from contextlib import AsyncExitStack

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.config import Settings
from service.errors import StoreError
from service.process import run, say
from service.resources import DEFAULT_SIMULATED_STORE, DEFAULT_STORE
from service.store.address import open_store


async def seed(address: str, settings: Settings, *, create_tables: bool) -> None:
    async with AsyncExitStack() as stack:
        aws = AwsClients(settings.aws_region, stack)
        if create_tables and address.startswith("dynamodb:"):
            from service.store.dynamodb import create_tables as create

            await create(await aws.dynamodb(), address.removeprefix("dynamodb://"))
        store = await open_store(address, aws, stack, burst_limit=settings.burst_votes)
        await store.put_sayings(collection())
    say(f"The {len(collection())} sayings of the collection are in {address}")


async def main(settings: Settings) -> int:
    parser = argparse.ArgumentParser(prog="python -m service.seed", description=__doc__)
    parser.add_argument("--create-tables", action="store_true", help="create missing DynamoDB tables first")
    arguments = parser.parse_args()
    try:
        for address in [settings.store] if settings.store else [DEFAULT_STORE, DEFAULT_SIMULATED_STORE]:
            await seed(address, settings, create_tables=arguments.create_tables)
    except StoreError as error:
        say(f"The collection could not be loaded into {address}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    run(main)
