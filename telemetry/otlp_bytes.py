"""OTLP's binary form of a trace, written without OpenTelemetry and protobuf.

A Lambda function has no time to import those: that takes longer than most requests, and an environment may never get a
second one. A test holds the bytes against those of the official exporter. The numbers are those of the fields in
`opentelemetry/proto/trace/v1/trace.proto`.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from telemetry import __version__, names
from telemetry.story import Kind, Moment, Span

_KINDS = {Kind.INTERNAL: 1, Kind.SERVER: 2, Kind.CLIENT: 3}
_ERROR = 2
# Whether the parent, or the span of a link, is in another process.
_LOCAL, _REMOTE = 0x100, 0x300
# More than the lengths of all the messages around the spans take.
_LENGTHS_BYTES = 32

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def export_requests(
    trace_id: str, spans: Iterable[Span], resource: Mapping[str, Any], *, most_bytes: int
) -> Iterator[bytes]:
    """The requests by which a trace is exported, the root of the trace first.

    None is longer than `most_bytes`, unless a single span needs more.
    """
    origin = _message(1, _attributes(1, resource))
    batch: list[bytes] = []
    size = free = most_bytes - len(origin) - len(_SCOPE) - len(_SCHEMA) - _LENGTHS_BYTES
    for number, span in enumerate(spans):
        encoded = _message(2, _span(trace_id, span, is_root=number == 0))
        size -= len(encoded)
        if size < 0 and batch:
            yield _request(origin, batch)
            batch, size = [], free - len(encoded)
        batch.append(encoded)
    yield _request(origin, batch)


def _request(origin: bytes, spans: Iterable[bytes]) -> bytes:
    return _message(1, origin + _message(2, _SCOPE + b"".join(spans) + _SCHEMA))


def _span(trace_id: str, span: Span, *, is_root: bool) -> bytes:
    return b"".join(
        [
            _message(1, bytes.fromhex(trace_id)),
            _message(2, bytes.fromhex(span.span_id)),
            _message(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
            _text(5, span.name),
            _number(6, _KINDS[span.kind]),
            _fixed64(7, span.started_at),
            _fixed64(8, span.ended_at),
            _attributes(9, span.attributes),
            *(_message(11, _moment(moment)) for moment in span.moments),
            *(_message(13, _link(*link)) for link in span.links),
            _message(15, _number(3, _ERROR) if span.failed else b""),
            _fixed32(16, _REMOTE if span.parent_id and is_root else _LOCAL),
        ]
    )


def _moment(moment: Moment) -> bytes:
    return _fixed64(1, moment.at) + _text(2, moment.name) + _attributes(3, moment.attributes)


def _link(trace_id: str, span_id: str) -> bytes:
    return _message(1, bytes.fromhex(trace_id)) + _message(2, bytes.fromhex(span_id)) + _fixed32(6, _REMOTE)


def _attributes(field: int, attributes: Mapping[str, Any]) -> bytes:
    pairs = (_text(1, name) + _message(2, _value(value)) for name, value in attributes.items())
    return b"".join(_message(field, pair) for pair in pairs)


def _value(value: object) -> bytes:
    """A value of an attribute: a text, a truth value, a number, or a list of those."""
    match value:
        case str():
            return _text(1, value)
        case bool():
            return _number(2, value)
        case int():
            return _number(3, value)
        case float():
            return _tag(4, _FIXED64) + struct.pack("<d", value)
        case Iterable():
            return _message(5, b"".join(_message(1, _value(each)) for each in value))
    raise TypeError(f"an attribute cannot be of type {type(value).__name__}")


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode(errors="backslashreplace"))


def _message(field: int, content: bytes) -> bytes:
    return _tag(field, _BYTES) + _varint(len(content)) + content


def _number(field: int, number: int) -> bytes:
    return _tag(field, _VARINT) + _varint(number)


def _fixed64(field: int, number: int) -> bytes:
    return _tag(field, _FIXED64) + struct.pack("<Q", number)


def _fixed32(field: int, number: int) -> bytes:
    return _tag(field, _FIXED32) + struct.pack("<I", number)


def _tag(field: int, form: int) -> bytes:
    return _varint(field << 3 | form)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow. Negative numbers have 64 bits."""
    number &= 2**64 - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_SCOPE = _message(1, _text(1, names.SCOPE) + _text(2, __version__))
_SCHEMA = _text(3, names.SCHEMA_URL)
