"""Prints every statement of the roles with the calls it is there for: `python -m tests.deploy.show_roles`."""

import asyncio
import logging
from collections import Counter

from moto.server import ThreadedMotoServer
from rich.console import Console
from rich.table import Table

from tests.deploy.iam import Statement, allowed, statements
from tests.deploy.recording import Needs, needs
from tests.deploy.stack import ACCOUNT, REGION, Stack


def table(stack: Stack, needed: Needs) -> Table:
    shown = Table("role", "statement", "resource", "calls it allows", show_lines=True)
    for role in stack.of_type("AWS::IAM::Role"):
        granted = statements(stack, role)
        for statement in granted:
            shown.add_row(role, statement.sid, _resources(statement), _calls(statement, needed, role))
        refused = [access.action for access in needed[role] if not allowed(access, granted)]
        shown.add_row(role, "", "", f"{len(needed[role])} calls, {len(refused)} refused {' '.join(refused)}")
    return shown


def _calls(statement: Statement, needed: Needs, role: str) -> str:
    counts = Counter(access.action for access in needed[role] if statement.allows(access))
    return "\n".join(f"{action} × {count}" for action, count in counts.items())


def _resources(statement: Statement) -> str:
    place = f"{REGION}:{ACCOUNT}"
    return "\n".join(resource.removeprefix("arn:aws:").replace(place, "…") for resource in statement.resources)


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server tells of every request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    stack = Stack()
    Console(width=140).print(table(stack, asyncio.run(needs(stack, f"http://{host}:{port}"))))
    server.stop()


if __name__ == "__main__":
    main()
