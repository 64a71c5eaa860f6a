"""The description is true: every route is in it, every reference resolves, and actual answers are as it says."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from service.api.schemas import FeedbackRequest, SayingQuery
from tests.http.conftest import SIMULATED, Server
from tests.http.test_compare import events_in

pytestmark = pytest.mark.slow

IDENTITY = SIMULATED.saying_id
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip
# What the schemas may use: anything else would pass unseen below.
KEYWORDS = {
    "$ref", "additionalProperties", "anyOf", "default", "description", "enum", "items", "maxLength", "maximum",
    "minLength", "minimum", "pattern", "properties", "required", "title", "type",
}  # fmt: skip


@pytest.fixture
async def document(server: Server) -> dict[str, Any]:
    document: dict[str, Any] = (await server.ask("GET", "/openapi.json")).json
    return document


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from nodes(item)


def resolved(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/")
    target: Any = document
    for name in reference[2:].split("/"):
        target = target[name]
    return target


def problems(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "$") -> list[str]:
    """Where a value is not as its schema says."""
    assert set(schema) <= KEYWORDS
    if "$ref" in schema:
        return problems(document, resolved(document, schema["$ref"]), value, at)
    if "anyOf" in schema:
        tried = [problems(document, option, value, at) for option in schema["anyOf"]]
        return [] if [] in tried else [problem for option in tried for problem in option]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    if "type" in schema and not _is_a(schema["type"], value):
        return [f"{at}: {value!r} is no {schema['type']}"]
    found = [f"{at}: {value!r} is not like {schema['pattern']}"] if not _matches(schema, value) else []
    if isinstance(value, list):
        found += [
            problem
            for i, item in enumerate(value)
            for problem in problems(document, schema["items"], item, f"{at}[{i}]")
        ]
    if isinstance(value, dict):
        found += [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += (
                [f"{at}: {name} is not described"] if inner is None else problems(document, inner, item, f"{at}.{name}")
            )
    return found


def _is_a(kind: str, value: Any) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)


def _matches(schema: dict[str, Any], value: Any) -> bool:
    return "pattern" not in schema or re.search(schema["pattern"], value) is not None


async def test_the_document_is_openapi_3_1_and_whole(document: dict[str, Any]) -> None:
    assert set(document) == {"openapi", "info", "paths", "components"}
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(document["info"])
    for node in nodes(document):
        if "$ref" in node:
            assert resolved(document, node["$ref"])
    identifiers = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(identifiers) == len(set(identifiers))


async def test_every_operation_has_what_openapi_asks_of_it(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert method in ("get", "post", "delete")
            assert set(operation["responses"]) >= {"200", "default"}
            for status, response in operation["responses"].items():
                assert status == "default" or re.fullmatch(r"[2-5]\d\d", status)
                assert response["description"]
                assert "schema" in response["content"]["application/json"]
            parameters = operation.get("parameters", ())
            of_path = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
            assert of_path == re.findall(r"\{(\w+)\}", path)
            assert all(parameter.get("required", False) == (parameter["in"] == "path") for parameter in parameters)


async def test_every_route_of_the_server_is_described_and_nothing_else(
    server: Server, document: dict[str, Any]
) -> None:
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}

    assert described == {(route.method, route.path) for route in server.resources.endpoints.routes}


async def test_every_error_of_a_route_is_described_under_its_status(server: Server, document: dict[str, Any]) -> None:
    for route in server.resources.endpoints.routes:
        responses = document["paths"][route.path][route.method.lower()]["responses"]
        by_code = {error.code: str(error.status) for error in route.errors}

        for code, status in by_code.items():
            assert f"`{code}`" in responses[status]["description"]
        statuses = set(by_code.values()) | ({str(route.failure[0])} if route.failure else set())
        assert set(responses) == statuses | {"200", "default"}
        assert all(("Retry-After" in responses[status].get("headers", {})) == (status in ("429", "503"))
                   for status in by_code.values())  # fmt: skip


async def test_a_comparison_from_beginning_to_end_is_as_described(server: Server, document: dict[str, Any]) -> None:
    voter = {"Cookie": f"sayings_voter={'v' * 32}"}
    stream = await server.ask("POST", "/compare", json={}, headers=voter)
    events = events_in(stream.body)
    identity = events[0][1]["comparisonId"]

    voted = await server.ask("POST", f"/compare/{identity}/vote", json={"winner": "A"}, headers=voter)
    expired = await server.ask("POST", f"/compare/{identity}/vote", json={"winner": "A"})

    content = document["paths"]["/compare"]["post"]["responses"]["200"]["content"]
    described = content["text/event-stream"]["schema"]["oneOf"]
    named = {event["properties"]["event"]["const"]: event["properties"]["data"]["contentSchema"] for event in described}
    assert list(named) == ["comparison", "progress", "slots", "done", "error"]
    for name, data in events:
        assert problems(document, named[name], data) == []
    operation = document["paths"]["/compare/{comparisonId}/vote"]["post"]
    for answer in (voted, expired):
        described = operation["responses"][str(answer.status)]
        assert problems(document, described["content"]["application/json"]["schema"], answer.json) == []


async def test_a_server_that_is_not_ready_answers_as_described(server: Server, document: dict[str, Any]) -> None:
    server.resources.endpoints.draining = True

    answer = await server.ask("GET", "/health/ready")

    described = document["paths"]["/health/ready"]["get"]["responses"][str(answer.status)]
    assert problems(document, described["content"]["application/json"]["schema"], answer.json) == []


async def test_the_body_of_a_vote_is_described_as_it_is_read(document: dict[str, Any]) -> None:
    described = document["components"]["schemas"]["FeedbackRequest"]

    assert list(described["properties"]) == list(FeedbackRequest.__struct_encode_fields__)
    assert described["required"] == ["feedbackType"]


async def test_the_parameters_of_a_saying_are_described_as_they_are_read(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/sayings"]["get"]["parameters"]

    assert [parameter["name"] for parameter in parameters] == list(SayingQuery.__struct_encode_fields__)
    assert {parameter["in"] for parameter in parameters} == {"query"}
    assert all(parameter["description"] and "default" not in parameter["schema"] for parameter in parameters)
