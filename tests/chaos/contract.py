"""Which errors /openapi.json documents, and whether an answer is one of them. No I/O."""

import json
import re
from collections.abc import Mapping
from typing import Any

# Documented too, but nothing that a client, or a dependency, can do may lead to it.
DEFECT = "internal_error"
_WITH_RETRY_AFTER = (429, 503)

Operation = tuple[str, str]


class Contract:
    """The errors of every operation, such as `("GET", "/sayings")`, from an OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._responses = {
            (method.upper(), path): operation["responses"]
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }
        anywhere = next(iter(self._responses.values()))["default"]["description"]
        self._anywhere = _codes(anywhere) - {DEFECT}

    def code(self, operation: Operation | None, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
        """The code of an error as documented; None when it is not. `operation` is None for addresses of nothing."""
        told = self._responses.get(operation, {}).get(str(status), {}) if operation else {}
        if told and "`" not in told["description"]:  # an answer of its own form, as readiness has it
            return "not_now"
        code = _code_of(body)
        known = _codes(told.get("description", "")) | (self._anywhere if status < 500 else set())
        in_form = status not in _WITH_RETRY_AFTER or headers.get("Retry-After", "").isdecimal()
        return code if code in known and in_form else None


def _codes(description: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", description))


def _code_of(body: bytes) -> str:
    """The code in the body of an error that has the documented form, otherwise ""."""
    try:
        answer = json.loads(body)
        code, message, request_id = answer["error"]["code"], answer["error"]["message"], answer["requestId"]
    except (ValueError, LookupError, TypeError):
        return ""
    return code if all(isinstance(each, str) and each for each in (code, message, request_id)) else ""
