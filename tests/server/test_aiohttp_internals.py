"""The private parts of aiohttp that the server uses are these, they are there, and the version is bounded for them."""

import ast
import asyncio
import inspect
import tomllib
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from packaging.requirements import Requirement
from packaging.version import Version

from service.server import connections

ROOT = Path(__file__).parents[2]
# `_waiter` says that a connection waits for a request's head, which aiohttp's own keep-alive looks at; `_loop` is the
# event loop of the connection. `_messages` are the requests that are read but not begun. While there are
# `_max_msg_queue_size` of them, or a body is not read on (`_reading_paused`), no more is read.
PRIVATE = {"_waiter", "_loop", "_messages", "_max_msg_queue_size", "_reading_paused"}


def used() -> set[str]:
    """The private attributes that Connection reads of itself and does not set."""
    [connection] = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(connections)))
        if isinstance(node, ast.ClassDef) and node.name == "Connection"
    ]
    of_self = [
        node
        for node in ast.walk(connection)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and node.attr.startswith("_")
    ]
    ours = {node.attr for node in of_self if isinstance(node.ctx, ast.Store)}
    ours |= {node.name for node in connection.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {node.attr for node in of_self} - ours


def test_the_private_parts_in_use_are_named_here() -> None:
    assert used() == PRIVATE


async def test_aiohttp_has_them() -> None:
    handler = web.Server(lambda request: None)()  # type: ignore[arg-type, return-value]

    assert {name for name in PRIVATE if not hasattr(handler, name)} == set()
    assert handler._loop is asyncio.get_running_loop()
    assert "output_size" in AbstractStreamWriter.__annotations__


def test_the_next_minor_version_is_not_taken_unseen() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    [aiohttp_] = [found for found in map(Requirement, project["dependencies"]) if found.name == "aiohttp"]

    version = Version(aiohttp.__version__)
    assert version in aiohttp_.specifier
    assert Version(f"{version.major}.{version.minor + 1}.0") not in aiohttp_.specifier
