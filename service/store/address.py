"""Opens the store at an address such as `sqlite:///sayings.db` or `dynamodb://`."""

import re
from contextlib import AsyncExitStack
from pathlib import Path

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.errors import ConfigError, StoreError
from service.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Quotas, Timeouts
from service.store.base import Store
from service.store.sqlite import SqliteStore
from telemetry.events import SILENCE, Listener

_TABLE_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,64}")


async def open_store(
    address: str,
    aws: AwsClients,
    stack: AsyncExitStack,
    listener: Listener = SILENCE,
    *,
    quotas: Quotas,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    limits: Limits = DEFAULT_LIMITS,
) -> Store:
    """Open the store at `address` and have the stack close it. An embedded store is seeded with the collection.

    The address is `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `dynamodb://` or `dynamodb://table-prefix`.
    Votes and ballots beyond the quotas are set aside. Raises ConfigError when the address is not valid or the store
    cannot be opened.
    """
    if file := sqlite_file(address):
        store = await SqliteStore.open(file, listener, quotas=quotas, timeouts=timeouts, limits=limits)
        stack.push_async_callback(store.close)
        try:
            await store.put_sayings(collection())
        except StoreError as error:
            raise ConfigError("SAYINGS_STORE", f"the collection cannot be stored: {error.__cause__}") from error
        return store
    scheme, separator, rest = address.partition("://")
    if separator and scheme == "dynamodb" and _TABLE_PREFIX.fullmatch(rest):
        from service.store.dynamodb import DynamoStore  # imported only where it is used: SQLite needs no AWS SDK

        return DynamoStore(await aws.dynamodb(), rest, quotas, listener)
    raise ConfigError("SAYINGS_STORE", f"{address!r} is neither sqlite:///file.db nor dynamodb://")


def sqlite_file(address: str) -> Path | None:
    """The file of an address such as `sqlite:///sayings.db`; None if it is no address of a file."""
    path = address.removeprefix("sqlite:///")
    return Path(path) if path not in ("", address) else None
