"""API Gateway and a load balancer as the tests play them: their events, the context, and what becomes of a result."""

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from multidict import CIMultiDict

from service.aws_lambda.gateway_events import CATCH_ALL, THROTTLED_APART
from tests.http.wire import Answer
from tests.http.wire import request as wire_form


@dataclass(slots=True)
class Remaining:
    """Lambda's context: how much time the invocation has left, and what is invoked."""

    seconds: float = 29.0
    aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:sayings-api"

    def get_remaining_time_in_millis(self) -> int:
        return round(self.seconds * 1000)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; underscores in the names of headers stand for hyphens."""

    method: str
    target: str = "/"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.target[:40]} {self.headers or ''} {self.body[:24]!r} {self.body[-24:]!r}"

    @property
    def named_headers(self) -> dict[str, str]:
        return {name.replace("_", "-"): value for name, value in self.headers.items()}

    def wire(self) -> bytes:
        return wire_form(self.method, self.target, self.body, **self.headers)

    def v1(self) -> dict[str, Any]:
        """As a REST API sends it."""
        path, _, query = self.target.partition("?")
        parameters = {unquote(name): values for name, values in parse_qs(query, keep_blank_values=True).items()}
        return {
            "resource": path if path in THROTTLED_APART else CATCH_ALL,
            "path": path,
            "httpMethod": self.method,
            "headers": self.named_headers or None,
            "multiValueHeaders": {name: [value] for name, value in self.named_headers.items()} or None,
            "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
            "multiValueQueryStringParameters": parameters or None,
            "pathParameters": {"proxy": path.removeprefix("/")},
            "stageVariables": None,
            "requestContext": {"stage": "prod", "path": f"/prod{path}", "identity": {"sourceIp": "203.0.113.7"}},
        } | self._event_body()

    def v2(self) -> dict[str, Any]:
        """As an HTTP API sends it: header names in lower case, cookies apart."""
        path, _, query = self.target.partition("?")
        headers = {name.lower(): value for name, value in self.named_headers.items()}
        cookie = headers.pop("cookie", None)
        http = {"method": self.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"}
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {"stage": "$default", "http": http},
        }
        return event | self._event_body() | ({} if cookie is None else {"cookies": cookie.split("; ")})

    def alb(self) -> dict[str, Any]:
        """As a load balancer sends it: names of headers in lower case, and a query whose values are still encoded."""
        path, _, query = self.target.partition("?")
        headers = {name.lower(): value for name, value in self.named_headers.items()}
        forwarded = [headers[name] for name in ("x-forwarded-for",) if name in headers]
        added = {"x-forwarded-for": ", ".join([*forwarded, "203.0.113.7"]), "x-forwarded-proto": "https"}
        group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sayings/6d0ecf831eec9f09"
        return {
            "requestContext": {"elb": {"targetGroupArn": group}},
            "httpMethod": self.method,
            "path": path,
            "queryStringParameters": dict(pair.partition("=")[::2] for pair in query.split("&") if pair),
            "headers": headers | added,
        } | self._event_body()

    def alb_lists(self) -> dict[str, Any]:
        """As a load balancer with multi-value headers sends it. There is a header for each cookie, as from HTTP/2."""
        event = self.alb()
        headers, query = event.pop("headers"), event.pop("queryStringParameters")
        return event | {
            "multiValueHeaders": {
                name: value.split("; ") if name == "cookie" else [value] for name, value in headers.items()
            },
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        }

    def _event_body(self) -> dict[str, Any]:
        """Text as text, anything else as base64; without a body null."""
        if not self.body:
            return {"body": None, "isBase64Encoded": False}
        try:
            return {"body": self.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            return self.base64_body()

    def base64_body(self) -> dict[str, Any]:
        return {"body": base64.b64encode(self.body).decode(), "isBase64Encoded": True}


def answer(result: dict[str, Any]) -> Answer:
    """What API Gateway sends for a function's result, cookies being headers again."""
    assert set(result) <= {"statusCode", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded"}
    headers = CIMultiDict(result["headers"])
    for cookie in result.get("cookies", []) + result.get("multiValueHeaders", {}).get("Set-Cookie", []):
        headers.add("Set-Cookie", cookie)
    return _answer(result, headers)


def alb_answer(result: dict[str, Any], *, lists: bool = False) -> Answer:
    """What a load balancer sends for a function's result, of which it reads one of two fields for the headers."""
    name = "multiValueHeaders" if lists else "headers"
    assert set(result) == {"statusCode", "statusDescription", name, "body", "isBase64Encoded"}
    assert result["statusDescription"].startswith(f"{result['statusCode']} ")
    headers = result[name] if lists else {each: [value] for each, value in result[name].items()}
    return _answer(result, CIMultiDict((each, value) for each, values in headers.items() for value in values))


def _answer(result: dict[str, Any], headers: CIMultiDict[str]) -> Answer:
    assert all(isinstance(value, str) for value in headers.values())
    body = result["body"].encode()
    return Answer(result["statusCode"], headers, base64.b64decode(body) if result["isBase64Encoded"] else body)
