"""The store that a command works on: its address, and how to open it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from service.aws.clients import AwsClients
from service.config import Settings
from service.errors import ConfigError
from service.resources import DEFAULT_SIMULATED_STORE, DEFAULT_STORE
from service.store.address import open_store, sqlite_file
from service.store.base import Store
from telemetry.logs import LogListener

# The operator may have to type a code for the credentials, and no job of a command fetches new ones ahead. Servers have
# limits that are shorter, because requests wait there.
CREDENTIALS_SECONDS = 120.0


@asynccontextmanager
async def opened(address: str, settings: Settings, *, create_tables: bool = False) -> AsyncIterator[Store]:
    """Open the store at an address for the block. Raises ConfigError or StoreError."""
    async with AsyncExitStack() as stack:
        timeouts = replace(
            settings.timeouts, credentials_fetch=CREDENTIALS_SECONDS, credentials_wait=CREDENTIALS_SECONDS
        )
        aws = AwsClients(settings.aws_region, stack, LogListener(), outbound=settings.outbound, timeouts=timeouts)
        if create_tables and address.startswith("dynamodb:"):
            from service.store.dynamodb import create_tables as create  # imported here, because SQLite does not need it

            await create(await aws.dynamodb(), address.removeprefix("dynamodb://"))
        yield await open_store(
            address,
            aws,
            stack,
            quotas=settings.quotas,
            timeouts=settings.timeouts,
            limits=settings.limits,
        )


def existing_address(settings: Settings) -> str:
    """The address of the store that the settings name, or else of the default file that exists.

    Raises ConfigError when neither or both of the default files exist.
    """
    if settings.store:
        return settings.store
    files = {address: sqlite_file(address) for address in (DEFAULT_STORE, DEFAULT_SIMULATED_STORE)}
    here = [address for address, file in files.items() if file and file.exists()]
    if len(here) == 1:
        return here[0]
    names = " and ".join(map(str, files.values()))
    raise ConfigError("SAYINGS_STORE", f"is needed: {names} are both here" if here else "is needed: there is none here")
