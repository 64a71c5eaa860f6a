"""The OpenAPI document on stdout: `python -m service.describe`. The page's types are made from it."""

import asyncio
import sys
from tempfile import TemporaryDirectory

from service.api.http import Request
from service.config import Settings
from service.resources import open_resources
from telemetry.events import Silence


async def document() -> bytes:
    """Made by the service itself, put together as always, though on a store of no use and with no model to ask."""
    with TemporaryDirectory() as folder:
        settings = Settings(store=f"sqlite:///{folder}/empty.db", simulator="off", rounds="off")
        async with open_resources(settings, {}, Silence()) as resources:
            response = await resources.endpoints.get_openapi(Request("GET", "/openapi.json", {}))
    return response.body


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(document()).decode())
