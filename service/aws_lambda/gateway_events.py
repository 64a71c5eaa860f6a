"""API Gateway's events as requests, and responses as what it expects back: REST payload v1 and HTTP payload v2.

Events may be malformed, so that nothing about their shape is taken for granted: fields can be null, missing or of
another type than documented.
"""

import base64
import binascii
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote, urlencode

from multidict import CIMultiDict

from service.api.client_address import client_address
from service.api.http import Caller, Request, Response
from service.errors import InvalidRequest

Event = Mapping[str, Any]


class Payload(Enum):
    """Which form an event has. INTERNAL: a schedule or a warm-up, whose response no client waits for."""

    V1 = auto()
    V2 = auto()
    INTERNAL = auto()
    UNKNOWN = auto()


class GatewayClient(Caller):
    """A client of API Gateway. It gets no streams, and we never learn that it has disconnected."""

    __slots__ = ("_event", "_headers", "_payload", "_trusted_proxies")

    def __init__(self, event: Event, payload: Payload, headers: Mapping[str, str], trusted_proxies: int) -> None:
        self._event = event
        self._payload = payload
        self._headers = headers
        self._trusted_proxies = trusted_proxies

    @property
    def address(self) -> str:
        peer = self._peer()
        forwarded = self._headers.get("X-Forwarded-For", "").split(",")
        if forwarded[-1].strip() == peer:  # added by API Gateway itself
            forwarded.pop()
        return client_address(peer, forwarded, trusted_proxies=self._trusted_proxies)

    @property
    def is_secure(self) -> bool:
        """API Gateway speaks nothing else."""
        return True

    def _peer(self) -> str:
        of_v1 = _part(_part(self._event, "requestContext"), "identity")
        peer = (_http(self._event) if self._payload is Payload.V2 else of_v1).get("sourceIp")
        return peer if isinstance(peer, str) else ""


def payload_of(event: object) -> Payload:
    if not isinstance(event, Mapping):
        return Payload.UNKNOWN
    version = event.get("version")
    if version == "2.0" and _are_texts(_http(event).get("method"), event.get("rawPath")):
        return Payload.V2
    if version in (None, "1.0") and _are_texts(event.get("httpMethod"), event.get("path")):
        return Payload.V1
    if event.get("source") in ("aws.events", "aws.scheduler") or event.get("warmup") is True:
        return Payload.INTERNAL
    return Payload.UNKNOWN


def request_line(event: Event, payload: Payload, segment: str | None = None, *, trusted_proxies: int = 0) -> Request:
    """The request without its body. `segment` is Lambda's own in the trace: it lies between the caller's and ours."""
    is_v2 = payload is Payload.V2
    headers = _v2_headers(event) if is_v2 else _v1_headers(event)
    if segment is not None:
        headers["X-Amzn-Trace-Id"] = segment
    method, path = (_http(event)["method"], event["rawPath"]) if is_v2 else (event["httpMethod"], event["path"])
    caller = GatewayClient(event, payload, headers, trusted_proxies)
    return Request(method, _path(event, path), headers, caller=caller)


def target_bytes(event: Event, payload: Payload) -> int:
    """How long the request's address was; a v1 event has the query in parsed form only."""
    if payload is Payload.V2:
        query = event.get("rawQueryString")
        return len(event["rawPath"]) + (1 + len(query) if query and isinstance(query, str) else 0)
    parameters = _part(event, "multiValueQueryStringParameters") or _part(event, "queryStringParameters")
    return len(event["path"]) + (1 + len(_query(parameters)) if parameters else 0)


async def body_of(event: Event) -> bytes:
    """The request's body. Raises InvalidRequest when it is no text, or says base64 and is not."""
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidRequest("The body did not arrive whole.")
    if event.get("isBase64Encoded") is not True:
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("The body did not arrive whole.") from error


def answer_of(response: Response, payload: Payload) -> dict[str, Any]:
    """The response in the form that belongs to the event's. Cookies have a place of their own in each."""
    headers = dict(response.headers)
    cookie = headers.pop("Set-Cookie", None)
    answer: dict[str, Any] = {
        "statusCode": response.status,
        "headers": headers,
        "body": response.body.decode(),
        "isBase64Encoded": False,
    }
    if cookie is not None:
        answer |= {"cookies": [cookie]} if payload is Payload.V2 else {"multiValueHeaders": {"Set-Cookie": [cookie]}}
    return answer


def _http(event: Event) -> Mapping[Any, Any]:
    return _part(_part(event, "requestContext"), "http")


def _path(event: Event, path: str) -> str:
    """The path as the routes know it: without the stage that some addresses begin with, and decoded."""
    stage = _part(event, "requestContext").get("stage")
    if isinstance(stage, str) and path.startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    return unquote(path)


def _query(parameters: Mapping[Any, Any]) -> str:
    return urlencode(parameters, doseq=True, errors="surrogatepass")


def _v2_headers(event: Event) -> CIMultiDict[str]:
    headers = CIMultiDict(_texts(_part(event, "headers")))
    cookies = event.get("cookies")
    if isinstance(cookies, list):
        headers["Cookie"] = "; ".join(cookie for cookie in cookies if isinstance(cookie, str))
    return headers


def _v1_headers(event: Event) -> CIMultiDict[str]:
    """`multiValueHeaders` where there are any: `headers` has just the last of each."""
    headers = CIMultiDict(_texts(_part(event, "headers")))
    for name, values in _part(event, "multiValueHeaders").items():
        if isinstance(name, str) and isinstance(values, list) and values and _are_texts(*values):
            headers[name] = ("; " if name.lower() == "cookie" else ", ").join(values)
    return headers


def _part(event: Event, name: str) -> Mapping[Any, Any]:
    """An object inside the event; empty where it is null, missing or something else."""
    part = event.get(name)
    return part if isinstance(part, Mapping) else {}


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _texts(part: Mapping[Any, Any]) -> dict[str, str]:
    return {name: value for name, value in part.items() if isinstance(name, str) and isinstance(value, str)}
