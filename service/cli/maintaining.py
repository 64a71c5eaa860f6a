"""The commands that maintain a store: they load the collection, remove what is old, and make backups."""

import argparse

from service.catalogue.collection import collection
from service.cli.stores import existing_address, opened
from service.config import Settings
from service.errors import BackupFailed, StoreError
from service.limits import DEFAULT_RETENTION
from service.process import say
from service.resources import DEFAULT_SIMULATED_STORE, DEFAULT_STORE
from service.store.address import sqlite_file
from service.store.retention import Pruned
from service.store.sqlite.backup import back_up


async def seed(arguments: argparse.Namespace, settings: Settings) -> int:
    """Load the collection into the store that the settings name, or else into both default stores."""
    for address in [settings.store] if settings.store else [DEFAULT_STORE, DEFAULT_SIMULATED_STORE]:
        try:
            async with opened(address, settings, create_tables=arguments.create_tables) as store:
                await store.put_sayings(collection())
        except StoreError as error:
            say(f"The collection could not be loaded into {address}: {error}")
            return 1
        say(f"The {len(collection())} sayings of the collection are in {address}")
    return 0


async def prune(_: argparse.Namespace, settings: Settings) -> int:
    """Remove what has reached its end, and voters who asked to be forgotten, until a pass is finished."""
    done = Pruned()
    async with opened(existing_address(settings), settings) as store:
        async for part in store.prune(DEFAULT_RETENTION, now=await store.time()):
            done += part
    say(
        f"{done.addresses} votes and ballots have lost the hash of their address, {done.voters} their voter. "
        f"{done.unvoted} comparisons that were shown and never voted on are removed. "
        f"{done.taken_back} votes and ballots of voters who asked to be forgotten are taken back."
    )
    return 0


async def backup(arguments: argparse.Namespace, settings: Settings) -> int:
    """Copy the SQLite database, be it in use or not, to a file that does not exist yet. 1 if that fails."""
    address, target = existing_address(settings), arguments.file
    source = sqlite_file(address)
    if source is None:
        say(f"{address} is no SQLite database. DynamoDB makes backups itself, by point-in-time recovery.")
        return 1
    try:
        copied = await back_up(source, target)
    except BackupFailed as error:
        say(str(error))
        return 1
    say(f"{target} is a checked copy of {source}, with {copied.sayings} sayings and {copied.votes} votes.")
    return 0
