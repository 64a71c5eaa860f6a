"""The OpenAPI 3.1 document, generated from the routes and body types that the service uses."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any

import msgspec

from service.api.http import EVENT_STREAM, Route
from service.api.schemas import SAYING_ID_PATTERN, ErrorAnswer
from service.catalogue.topics import Topics
from service.errors import HttpError, InternalError, InvalidRequest, MethodNotAllowed, RequestTimeout, RouteNotFound
from telemetry import __version__

_OPERATORS = "operators"
_REFERENCE = "#/components/schemas/{name}"


def openapi_document(routes: Iterable[Route], topics: Topics, models: Sequence[str]) -> dict[str, Any]:
    """`models` are the ids of the models that a client may ask for."""
    routes = tuple(routes)
    known = {"service": topics.names, "model": models}
    bodies = {body for route in routes for body in _bodies(route)}
    types = [*sorted(bodies, key=lambda body: body.__name__), ErrorAnswer]
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    _add_constraints(components, topics)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cloud Sayings",
            "version": __version__,
            "description": (
                f"Witty analogies about {topics.plural} by four language models, the votes on them, and what these say "
                "about the models."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": components, **_security_schemes(routes)},
    }


def _security_schemes(routes: tuple[Route, ...]) -> dict[str, Any]:
    if not any(route.for_operators for route in routes):
        return {}
    return {"securitySchemes": {_OPERATORS: {"type": "http", "scheme": "bearer", "description": "The operators' key"}}}


def _add_constraints(components: dict[str, Any], topics: Topics) -> None:
    """Add the constraints that the Python types cannot express."""
    components["FeedbackRequest"]["allOf"] = [_one_of("saying", "sayingId"), _one_of("voteToken", "source")]
    service, _ = components["CompareRequest"]["properties"]["service"]["anyOf"]
    service["enum"] = topics.names


def _one_of(*names: str) -> dict[str, Any]:
    """At least one of these properties must be there."""
    return {"anyOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in names]}


def _bodies(route: Route) -> list[type]:
    candidates = [route.answer, route.body, route.failure and route.failure[1], *route.events.values()]
    return [body for body in candidates if isinstance(body, type) and issubclass(body, msgspec.Struct)]


def _operation(route: Route, known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    content = _content(route.answer) | (_stream(route.events) if route.events else {})
    success = {"description": "Success", "content": content, "links": _LINKS.get(route.operation, {})}
    responses: dict[str, Any] = {"200": success}
    if route.failure is not None:
        status, body = route.failure
        responses[str(status)] = {"description": "Not now", "content": _content(body)}
    for status, errors in _by_status(route.errors).items():
        responses[str(status)] = {
            "description": " Or: ".join(f"`{error.code}`: {error.message}" for error in errors),
            "content": _content(ErrorAnswer),
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
    responses["default"] = {"description": _ANY_OTHER, "content": _content(ErrorAnswer)}
    operation: dict[str, Any] = {"operationId": route.operation, "summary": route.summary, "responses": responses}
    parameters = [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)]
    if parameters := parameters + _query_parameters(route.query, known):
        operation["parameters"] = parameters
    if route.for_operators:
        operation["security"] = [{_OPERATORS: []}]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _from_answer(*names: str) -> dict[str, str]:
    return {name: f"$response.body#/{name}" for name in names}


# Which fields of a response are the input of another operation.
_LINKS = {
    "getSaying": {
        "vote": {
            "operationId": "postFeedback",
            "requestBody": _from_answer("saying", "sayingId", "source", "voteToken"),
        },
        "report": {"operationId": "postReport", "parameters": _from_answer("sayingId")},
        "again": {"operationId": "getStoredSaying", "parameters": _from_answer("sayingId")},
    },
    "postFeedback": {
        "takeBack": {"operationId": "deleteFeedback", "parameters": _from_answer("sayingId")},
    },
    "postCompare": {
        "vote": {"operationId": "postCompareVote", "parameters": _from_answer("comparisonId")},
        "again": {"operationId": "getCompare", "parameters": _from_answer("comparisonId")},
    },
}

# Any path may respond with these: to malformed HTTP, slow headers, an unknown path or method, or a defect of ours.
_ANYWHERE = (InvalidRequest, RequestTimeout, RouteNotFound, MethodNotAllowed, InternalError)
_ANY_OTHER = f"One of {', '.join(f'`{error.code}`' for error in _ANYWHERE)}"
_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}


def _by_status(errors: Iterable[type[HttpError]]) -> dict[int, list[type[HttpError]]]:
    grouped: dict[int, list[type[HttpError]]] = {}
    for error in errors:
        grouped.setdefault(error.status, []).append(error)
    return dict(sorted(grouped.items()))


def _content(body: type) -> dict[str, Any]:
    schema = _reference(body) if issubclass(body, msgspec.Struct) else {"type": "object"}
    return {"application/json": {"schema": schema}}


def _reference(body: type) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=body.__name__)}


def _stream(events: Mapping[str, type]) -> dict[str, Any]:
    """OpenAPI 3.1 cannot describe a stream of events, so the schema describes each event, as most tools expect."""
    description = (
        "Server-sent events in this order, of which `progress` may come several times or not at all, unless JSON is "
        "asked for by `Accept: application/json`. Each is as told here, its data one line of JSON. Where something "
        "goes wrong in between, the last one is `error`."
    )
    described = {**events, "error": ErrorAnswer}
    return {EVENT_STREAM: {"schema": {"description": description, "oneOf": list(starmap(_event, described.items()))}}}


def _event(name: str, data: type) -> dict[str, Any]:
    content = {"type": "string", "contentMediaType": "application/json", "contentSchema": _reference(data)}
    return {
        "type": "object",
        "properties": {"event": {"const": name}, "data": content},
        "required": ["event", "data"],
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": SAYING_ID_PATTERN}}


def _query_parameters(query: type | None, known: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    if query is None:
        return []
    _, components = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    properties = components[query.__name__]["properties"]
    return [_query_parameter(name, schema, known.get(name)) for name, schema in properties.items()]


def _query_parameter(name: str, schema: dict[str, Any], known: Sequence[str] | None) -> dict[str, Any]:
    """A parameter of the query, which is not required, and has one of the `known` values if there are any.

    When it is there, it is neither null nor the default.
    """
    present = schema["anyOf"][0] if "anyOf" in schema else schema
    constraints = {word: present[word] for word in present if word not in ("default", "description")}
    if known is not None:
        constraints["enum"] = known
    return {"name": name, "in": "query", "description": schema["description"], "schema": constraints}
