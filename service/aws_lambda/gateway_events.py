"""Converts events to requests, and responses to the format that belongs to an event.

The events are API Gateway's, of REST APIs (payload v1) and HTTP APIs (payload v1 or v2), and those of an Application
Load Balancer (ALB). They may be malformed, so no shape is assumed: fields can be null, missing or of another type than
documented.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlencode

from multidict import CIMultiDict

from service.api.client_address import TrustedProxies, client_address, forwarded_value
from service.api.http import Caller, Request, Response
from service.errors import BodyTooLarge, InvalidRequest

Event = Mapping[str, Any]

NO_PROXIES = TrustedProxies(0)
# The resource of deploy/template.yaml that takes every path, and the paths that are resources of their own there,
# because API Gateway throttles them apart.
CATCH_ALL = "/{proxy+}"
THROTTLED_APART = frozenset({"/compare"})
_PLACEHOLDER = re.compile(r"\{(\w+)\+?\}")


class Payload(Enum):
    """The format of an event. INTERNAL is a schedule or a warm-up, for which no client waits.

    ALB_LISTS is that of a load balancer whose target group has multi-value headers switched on.
    """

    V1 = auto()
    V2 = auto()
    ALB = auto()
    ALB_LISTS = auto()
    INTERNAL = auto()
    UNKNOWN = auto()


_OF_ALB = (Payload.ALB, Payload.ALB_LISTS)


class GatewayClient(Caller):
    """The client of API Gateway or a load balancer.

    Its responses are never streamed, and its disconnection cannot be noticed.
    """

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
        if self._payload in _OF_ALB:  # no other field has the address that connected to the load balancer
            peer = forwarded.pop()
        elif forwarded[-1].strip() == peer:  # added by API Gateway itself
            forwarded.pop()
        return client_address(peer, forwarded, trusted_proxies=self._trusted_proxies)

    def forwarded(self, header: str) -> str:
        return forwarded_value([self._headers.get(header, "")], trusted_proxies=self._trusted_proxies)

    @property
    def is_secure(self) -> bool:
        """Whether the load balancer says so; API Gateway accepts only HTTPS."""
        if self._payload not in _OF_ALB:
            return True
        return forwarded_value([self._headers.get("X-Forwarded-Proto", "")], trusted_proxies=1).lower() == "https"

    def _peer(self) -> str:
        of_v1 = _part(_part(self._event, "requestContext"), "identity")
        peer = (_http(self._event) if self._payload is Payload.V2 else of_v1).get("sourceIp")
        return peer if isinstance(peer, str) else ""


def payload_of(event: object) -> Payload:
    """The payload format of an event; UNKNOWN when it is not one that the service handles."""
    if not isinstance(event, Mapping):
        return Payload.UNKNOWN
    version = event.get("version")
    if version == "2.0" and _are_texts(_http(event).get("method"), event.get("rawPath")):
        return Payload.V2
    if version in (None, "1.0") and _are_texts(event.get("httpMethod"), event.get("path")):
        if "elb" not in _part(event, "requestContext"):
            return Payload.V1
        return Payload.ALB_LISTS if "multiValueHeaders" in event else Payload.ALB
    if event.get("source") in ("aws.events", "aws.scheduler") or event.get("warmup") is True:
        return Payload.INTERNAL
    return Payload.UNKNOWN


def request_line(
    event: Event, payload: Payload, segment: str | None = None, *, proxies: TrustedProxies = NO_PROXIES
) -> Request:
    """The request without its body.

    `segment` is the trace header of Lambda's own segment, which lies between the caller's span and ours.
    """
    is_v2 = payload is Payload.V2
    headers = _v2_headers(event) if is_v2 else _v1_headers(event)
    if segment is not None:
        headers["X-Amzn-Trace-Id"] = segment
    method, path = (_http(event)["method"], event["rawPath"]) if is_v2 else (event["httpMethod"], event["path"])
    caller = GatewayClient(event, payload, headers, proxies.of(headers))
    return Request(method, _path(event, payload, path), headers, query=_query(event, payload), caller=caller)


def target_bytes(event: Event, payload: Payload) -> int:
    """The length of the request target."""
    path, query = event["rawPath" if payload is Payload.V2 else "path"], _query(event, payload)
    return len(path) + (1 + len(query) if query else 0)


async def body_of(event: Event, most: int) -> bytes:
    """The request's body. Raises BodyTooLarge when it has more than `most` bytes.

    Raises InvalidRequest when it is not text, or is declared as base64 but invalid.
    """
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidRequest("The body did not arrive whole.")
    if len(body) > most * 2:  # base64 takes four characters for three bytes, and other text one for each
        raise BodyTooLarge
    decoded = _decoded(body, in_base64=event.get("isBase64Encoded") is True)
    if len(decoded) > most:
        raise BodyTooLarge
    return decoded


def _decoded(body: str, *, in_base64: bool) -> bytes:
    if not in_base64:
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("The body did not arrive whole.") from error


def answer_of(response: Response, payload: Payload) -> dict[str, Any]:
    """The response in the format that belongs to the event's. Each format has its own place for cookies."""
    headers = dict(response.headers)
    is_text = not headers.get("Content-Type", "").startswith("image/")
    result: dict[str, Any] = {
        "statusCode": response.status,
        "headers": headers,
        "body": response.body.decode() if is_text else base64.b64encode(response.body).decode(),
        "isBase64Encoded": not is_text,
    }
    if payload in _OF_ALB:
        result["statusDescription"] = f"{response.status} {HTTPStatus(response.status).phrase}"
    if payload is Payload.ALB_LISTS:
        result["multiValueHeaders"] = {name: [value] for name, value in result.pop("headers").items()}
    elif payload is not Payload.ALB and (cookie := headers.pop("Set-Cookie", None)) is not None:
        result |= {"cookies": [cookie]} if payload is Payload.V2 else {"multiValueHeaders": {"Set-Cookie": [cookie]}}
    return result


def _http(event: Event) -> Mapping[Any, Any]:
    return _part(_part(event, "requestContext"), "http")


def _path(event: Event, payload: Payload, path: str) -> str:
    """The decoded path as the routes define it, without the stage or the base path that some paths begin with.

    A path of THROTTLED_APART that arrives by the catch-all was spelt in another way, such as `/%63ompare`, which gets
    around the throttle. So it is nobody's path.
    """
    if payload in _OF_ALB:
        return unquote(path)
    decoded = _below(_resource(event, payload), event, unquote(path))
    return "" if decoded in THROTTLED_APART and event.get("resource") == CATCH_ALL else decoded


def _resource(event: Event, payload: Payload) -> str:
    """The template of the path in API Gateway, such as `/{proxy+}`, or "" when there is none."""
    resource = event.get("routeKey" if payload is Payload.V2 else "resource")
    if not isinstance(resource, str):
        return ""
    return resource.rpartition(" ")[2] if payload is Payload.V2 else resource  # without the method


def _below(resource: str, event: Event, path: str) -> str:
    """The part of the path that the resource stands for.

    Before it, the path has the base path of a custom domain or the stage, but not always, and it may begin like a
    route. So both are taken off only where there is no resource that tells how long the rest is.
    """
    parameters, whole = _texts(_part(event, "pathParameters")), path.rstrip("/")
    if resource.startswith("/") and parameters.keys() >= set(_PLACEHOLDER.findall(resource)):
        filled = unquote(_PLACEHOLDER.sub(lambda found: parameters[found[1]], resource)).rstrip("/")
        if whole.endswith(filled):
            return path[len(whole) - len(filled) :]
    stage = _part(event, "requestContext").get("stage")
    return path.removeprefix(f"/{stage}") if isinstance(stage, str) and path.startswith(f"/{stage}/") else path


def _query(event: Event, payload: Payload) -> str:
    """The query of the request, which events of v1 and of a load balancer have only in parsed form.

    API Gateway decodes names and values in doing so, and the load balancer does not.
    """
    if payload is Payload.V2:
        query = event.get("rawQueryString")
        return query if isinstance(query, str) else ""
    parameters = _part(event, "multiValueQueryStringParameters") or _part(event, "queryStringParameters")
    if payload in _OF_ALB:
        lists = {name: values if isinstance(values, list) else [values] for name, values in parameters.items()}
        return "&".join(f"{name}={value}" for name, values in lists.items() for value in values)
    return urlencode(parameters, doseq=True, errors="surrogatepass")


def _v2_headers(event: Event) -> CIMultiDict[str]:
    headers = CIMultiDict(_texts(_part(event, "headers")))
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:
        headers["Cookie"] = "; ".join(cookie for cookie in cookies if isinstance(cookie, str))
    return headers


def _v1_headers(event: Event) -> CIMultiDict[str]:
    """The headers, preferring `multiValueHeaders` because `headers` has only the last value of each."""
    headers = CIMultiDict(_texts(_part(event, "headers")))
    lists: CIMultiDict[str] = CIMultiDict()
    for name, values in _part(event, "multiValueHeaders").items():
        if isinstance(name, str) and isinstance(values, list) and _are_texts(*values):
            lists.extend((name, value) for value in values)
    for name in lists:
        headers[name] = ("; " if name.lower() == "cookie" else ", ").join(lists.getall(name))
    return headers


def _part(event: Event, name: str) -> Mapping[Any, Any]:
    """An object inside the event, or an empty one when the field is null, missing or of another type."""
    part = event.get(name)
    return part if isinstance(part, Mapping) else {}


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _texts(part: Mapping[Any, Any]) -> dict[str, str]:
    return {name: value for name, value in part.items() if isinstance(name, str) and isinstance(value, str)}
