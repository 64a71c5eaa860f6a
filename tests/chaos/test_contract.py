"""An error is documented when the OpenAPI document says so, and when it has the documented form."""

import json
from collections.abc import Mapping

import pytest

from tests.chaos.contract import Contract, Operation

VOTE, READY = ("POST", "/feedback"), ("GET", "/health/ready")
ANYWHERE = {"description": "One of `invalid_request`, `route_not_found`, `internal_error`"}
CONTRACT = Contract(
    {
        "paths": {
            "/feedback": {
                "post": {
                    "responses": {
                        "404": {"description": "`saying_not_found`: No such saying."},
                        "503": {"description": "`store_unavailable`: Again. Or: `storage_full`: Full."},
                        "default": ANYWHERE,
                    }
                }
            },
            "/health/ready": {"get": {"responses": {"503": {"description": "Not now"}, "default": ANYWHERE}}},
        }
    }
)


def error(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "So it is."}, "requestId": "0" * 32}).encode()


@pytest.mark.parametrize(
    ("operation", "status", "headers", "body", "code"),
    [
        (VOTE, 404, {}, error("saying_not_found"), "saying_not_found"),
        (VOTE, 400, {}, error("invalid_request"), "invalid_request"),
        (None, 404, {}, error("route_not_found"), "route_not_found"),
        (VOTE, 503, {"Retry-After": "2"}, error("storage_full"), "storage_full"),
        (READY, 503, {}, b'{"status": "not_ready"}', "not_now"),
        (VOTE, 503, {}, error("storage_full"), None),
        (VOTE, 404, {}, error("made_up"), None),
        (READY, 404, {}, error("saying_not_found"), None),
        (VOTE, 500, {}, error("internal_error"), None),
        (VOTE, 400, {}, b"400: Bad Request", None),
        (VOTE, 400, {}, b'{"error": {"code": "invalid_request"}}', None),
        (VOTE, 400, {}, b"[]", None),
    ],
)
def test_an_answer_is_held_to_what_is_documented(
    operation: Operation | None, status: int, headers: Mapping[str, str], body: bytes, code: str | None
) -> None:
    assert CONTRACT.code(operation, status, headers, body) == code
