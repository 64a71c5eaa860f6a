"""JSON Schema for structured output: checks a schema by each vendor's rules, and makes a value that conforms."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import cast

from service.simulator.deck import DealtSaying

Schema = dict[str, object]

# The shape of an answer when the request has no schema.
SAYINGS: Schema = {
    "type": "object",
    "properties": {
        "sayings": {
            "type": "array",
            "items": {"type": "object", "properties": {"service": {"type": "string"}, "saying": {"type": "string"}}},
        }
    },
}

_NOT_AT_OPENAI = ("allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas")
_NOT_AT_ANTHROPIC = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems", "oneOf"),
)
_MAX_DEPTH = 32
_SCALARS: Schema = {"integer": 1, "number": 1.0, "boolean": True, "null": None}


class SchemaError(Exception):
    """The vendor refuses this schema."""


def check_for_anthropic(schema: Schema) -> None:
    """Raises SchemaError."""
    for _, node in _nodes(schema):
        kind = node.get("type")
        if kind == "object" and node.get("additionalProperties") is not False:
            raise SchemaError("For 'object' type, 'additionalProperties' must be explicitly set to false")
        for keyword in _NOT_AT_ANTHROPIC:
            if keyword in node:
                raise SchemaError(f"For '{kind}' type, property '{keyword}' is not supported")
        if node.get("minItems") not in (None, 0, 1):
            raise SchemaError("For 'array' type, 'minItems' values other than 0 or 1 are not supported")


def check_for_openai(schema: Schema, *, strict: bool) -> None:
    """Raises SchemaError. Only a strict schema is looked at below its top."""
    if schema.get("type") != "object":
        raise SchemaError(f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'.")
    for path, node in _nodes(schema) if strict else ():
        complaint = _strict_complaint(node)
        if complaint:
            raise SchemaError(f"In context={path}, {complaint}")


def _strict_complaint(node: Schema) -> str | None:
    for keyword in _NOT_AT_OPENAI:
        if keyword in node:
            return f"'{keyword}' is not permitted."
    if node.get("type") != "object":
        return None
    if node.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    required = node.get("required")
    missing = _mapping(node, "properties").keys() - set(required if isinstance(required, list) else ())
    if missing:
        return (
            "'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{min(missing)}'."
        )
    return None


def _nodes(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """The schema and every schema in it, with their paths. Raises SchemaError for anything that is not a schema."""
    if len(path) > _MAX_DEPTH:
        raise SchemaError("The schema is nested too deeply")
    yield path, schema
    for step, child in _children(schema):
        if not isinstance(child, dict):
            raise SchemaError(f"{child!r} is not of type 'object', 'boolean'.")
        yield from _nodes(child, (*path, step))


def _children(schema: Schema) -> Iterator[tuple[str, object]]:
    for keyword in ("properties", "$defs"):
        yield from _mapping(schema, keyword).items()
    for keyword in ("anyOf", "allOf", "oneOf"):
        branches = schema.get(keyword, [])
        yield from ((keyword, branch) for branch in (branches if isinstance(branches, list) else [branches]))
    if "items" in schema:
        yield "items", schema["items"]


def _mapping(schema: Schema, keyword: str) -> Schema:
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        raise SchemaError(f"{value!r} is not of type 'object'.")
    return cast("Schema", value)


def conforming(schema: Schema, sayings: Sequence[DealtSaying]) -> object:
    """A value that conforms to the schema.

    Arrays get an element for each saying. Strings get the saying, or its service if their name says so.
    Raises SchemaError if there is no such value.
    """
    return _Value(schema).of(schema, sayings, "")


class _Value:
    def __init__(self, root: Schema) -> None:
        self._root = root

    def of(self, schema: Schema, sayings: Sequence[DealtSaying], name: str, depth: int = 0) -> object:
        if depth > _MAX_DEPTH:
            raise SchemaError("The schema is nested too deeply or without end")
        node = self._resolved(schema)
        if "const" in node:
            return node["const"]
        match _kind(node):
            case "object":
                return {key: self.of(_schema(sub), sayings, key, depth + 1) for key, sub in _properties(node)}
            case "array":
                items = _schema(node.get("items", {"type": "string"}))
                return [self.of(items, [saying], name, depth + 1) for saying in _for_array(node, sayings)]
            case "string":
                return _string(node, sayings[0], name)
            case kind:
                return _SCALARS.get(kind)

    def _resolved(self, node: Schema) -> Schema:
        for _ in range(_MAX_DEPTH):
            choices = node.get("anyOf")
            if isinstance(choices, list) and choices:
                node = _schema(choices[0])
            elif "$ref" in node:
                node = self._referred(str(node["$ref"]))
            else:
                return node
        raise SchemaError("The schema refers to itself without end")

    def _referred(self, reference: str) -> Schema:
        if reference == "#":
            return self._root
        definitions = _mapping(self._root, "$defs")
        name = reference.removeprefix("#/$defs/")
        if name not in definitions:
            raise SchemaError(f"Cannot resolve reference '{reference}'")
        return _schema(definitions[name])


def _schema(value: object) -> Schema:
    return cast("Schema", value)  # checked by `_nodes`


def _kind(node: Schema) -> str:
    """The type, or the first of several, or the one that the other keywords imply."""
    kind = node.get("type")
    if isinstance(kind, list) and kind:
        kind = kind[0]
    return str(kind) if kind else "object" if "properties" in node else "string"


def _properties(node: Schema) -> list[tuple[str, object]]:
    return list(_mapping(node, "properties").items())


def _for_array(node: Schema, sayings: Sequence[DealtSaying]) -> list[DealtSaying]:
    fewest, most = node.get("minItems", 0), node.get("maxItems", len(sayings))
    wanted = max(len(sayings), fewest if isinstance(fewest, int) else 0)
    return list(islice(cycle(sayings), min(wanted, most if isinstance(most, int) else wanted)))


def _string(node: Schema, saying: DealtSaying, name: str) -> object:
    choices = node.get("enum")
    if isinstance(choices, list) and choices:
        return saying.service if saying.service in choices else choices[0]
    limit = node.get("maxLength")
    text = saying.service if "service" in name.lower() else saying.saying
    return text[:limit] if isinstance(limit, int) else text
