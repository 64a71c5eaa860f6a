"""The OpenAPI 3.1 document, made from the routes and the bodies that the code really uses."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from service.errors import HttpError, InternalError, InvalidRequest, MethodNotAllowed, RequestTimeout, RouteNotFound
from service.http import Route
from service.messages import SAYING_ID_PATTERN, ErrorAnswer

VERSION = "0.1.0"


def openapi_document(routes: Iterable[Route]) -> dict[str, Any]:
    routes = tuple(routes)
    bodies = {body for route in routes for body in _bodies(route)}
    types = [*sorted(bodies, key=lambda body: body.__name__), ErrorAnswer]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cloud Sayings",
            "version": VERSION,
            "description": "Witty analogies about AWS services by four language models, and the votes on them.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _bodies(route: Route) -> list[type]:
    candidates = [route.answer, route.body, route.failure and route.failure[1]]
    return [body for body in candidates if isinstance(body, type) and issubclass(body, msgspec.Struct)]


def _operation(route: Route) -> dict[str, Any]:
    responses = {"200": {"description": "Success", "content": _content(route.answer)}}
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
    if names := re.findall(r"\{(\w+)\}", route.path):
        operation["parameters"] = [_path_parameter(name) for name in names]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


# What any address may answer: to what is not HTTP, a head that does not end, a wrong address or method, our defect.
_ANYWHERE = (InvalidRequest, RequestTimeout, RouteNotFound, MethodNotAllowed, InternalError)
_ANY_OTHER = f"One of {', '.join(f'`{error.code}`' for error in _ANYWHERE)}"
_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}


def _by_status(errors: Iterable[type[HttpError]]) -> dict[int, list[type[HttpError]]]:
    grouped: dict[int, list[type[HttpError]]] = {}
    for error in errors:
        grouped.setdefault(error.status, []).append(error)
    return dict(sorted(grouped.items()))


def _content(body: type) -> dict[str, Any]:
    is_message = issubclass(body, msgspec.Struct)
    schema = {"$ref": f"#/components/schemas/{body.__name__}"} if is_message else {"type": "object"}
    return {"application/json": {"schema": schema}}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": SAYING_ID_PATTERN}}
