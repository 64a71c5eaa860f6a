"""The simulator with a client of each vendor's SDK, and what tests read out of requests and answers."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from service.simulator import Simulator

PROTOCOLS = ["messages", "chat"]
HOME = {"messages": "claude-haiku-4-5", "chat": "gpt-4.1"}
PATHS = {"messages": "/anthropic/v1/messages", "chat": "/openai/v1/chat/completions"}
SERVICES = ["Amazon S3", "AWS Lambda", "Amazon DynamoDB"]
PROMPT = "Write one saying about each of these services:\n- Amazon S3\n- AWS Lambda\n- Amazon DynamoDB\n"
TURN = [{"role": "user", "content": PROMPT}]


@dataclass
class World:
    simulator: Simulator
    root: str
    http: httpx2.AsyncClient
    claude: Any
    gpt: Any

    async def ask(self, protocol: str, prompt: str = PROMPT, *, limit: int = 1000, **more: Any) -> Any:
        """Ask through the vendor's SDK."""
        turn = [{"role": "user", "content": prompt}]
        create = self.claude.messages.create if protocol == "messages" else self.gpt.chat.completions.create
        return await create(**{"model": HOME[protocol], "max_tokens": limit, "messages": turn} | more)

    async def post(self, protocol: str, body: bytes, **headers: str) -> httpx2.Response:
        """Send a body as it is; a header given as "" is left out."""
        usual = {"authorization": "Bearer key", "anthropic-version": "2023-06-01", "content-type": "application/json"}
        sent = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        url = self.root + PATHS[protocol]
        return await self.http.post(url, content=body, headers={name: sent[name] for name in sent if sent[name]})

    async def statuses(self, protocol: str, number: int) -> list[int]:
        """The statuses of so many calls."""
        return [(await self.post(protocol, body_of(protocol))).status_code for _ in range(number)]


def body_of(protocol: str, **changes: Any) -> bytes:
    """A request, with these fields changed, or left out where the value is None."""
    limit = {"max_tokens": 500} if protocol == "messages" else {}
    body = {"model": HOME[protocol], "messages": TURN} | limit | changes
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def text_of(protocol: str, answer: Any) -> str:
    return str(answer.content[0].text if protocol == "messages" else answer.choices[0].message.content)


def sayings_of(protocol: str, answer: Any) -> list[tuple[str, str]]:
    """The pairs of service and saying."""
    return [(entry["service"], entry["saying"]) for entry in json.loads(text_of(protocol, answer))["sayings"]]


def error_of(protocol: str, response: httpx2.Response) -> dict[str, Any]:
    """The vendor's error, its envelope checked on the way."""
    document = response.json()
    if protocol == "messages":
        assert document["type"] == "error"
        assert document["request_id"] == response.headers["request-id"]
    else:
        assert document["error"].keys() == {"message", "type", "param", "code"}
        assert response.headers["x-request-id"].startswith("req_")
    error: dict[str, Any] = document["error"]
    return error
