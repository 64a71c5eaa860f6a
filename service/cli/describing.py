"""The command that writes the OpenAPI document, from which the page's types are generated."""

import argparse
import sys
from tempfile import TemporaryDirectory

from service.api.http import Request
from service.config import Settings
from service.resources import open_resources
from telemetry.events import Silence


async def openapi(_: argparse.Namespace, __: Settings) -> int:
    """Write the document to the standard output. It does not depend on the settings."""
    sys.stdout.write((await document()).decode())
    return 0


async def document() -> bytes:
    """The document as the API serves it, from a process with an empty temporary store and without models."""
    with TemporaryDirectory() as folder:
        settings = Settings(store=f"sqlite:///{folder}/empty.db", simulator="off", rounds="off")
        async with open_resources(settings, {}, Silence()) as resources:
            response = await resources.endpoints.get_openapi(Request("GET", "/openapi.json", {}))
    return response.body
