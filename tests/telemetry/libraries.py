"""Installed packages of others, as the standard entry points know them, and what such a library does in a request."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from opentelemetry import baggage, metrics, propagate, trace
from opentelemetry.trace import SpanKind


def install(folder: Path, module: str, source: str, entry_points: Mapping[str, str]) -> None:
    """Put a package into a folder of `sys.path`; `entry_points` maps a group to `name = module:object`."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"[{group}]\n{entry_point}\n" for group, entry_point in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


class Library:
    """A hand-written one that has never heard of us. It keeps what it has seen."""

    def __init__(self) -> None:
        self.injected: dict[str, str] = {}
        self.baggage: Mapping[str, object] = {}
        self.recording = False

    def work(self) -> None:
        current = trace.get_current_span()
        self.recording = current.is_recording()
        current.set_attribute("library.attribute", "theirs")
        current.add_event("library.event", {"library.attribute": 1})
        self.baggage = baggage.get_all()
        counter = metrics.get_meter("library").create_counter("library.work", unit="{piece}")
        counter.add(1, {"library.attribute": "theirs"})
        with trace.get_tracer("library", "1.0").start_as_current_span("library work", attributes={"a": 1}):
            propagate.inject(self.injected)


def tracing() -> aiohttp.TraceConfig:
    """What an instrumentation of aiohttp's client does: a client span for each call, and our context in its headers."""

    async def start(_: Any, context: SimpleNamespace, call: aiohttp.TraceRequestStartParams) -> None:
        context.span = trace.get_tracer("aiohttp").start_span(call.method, kind=SpanKind.CLIENT)
        propagate.inject(call.headers, trace.set_span_in_context(context.span))

    async def end(_: Any, context: SimpleNamespace, call: aiohttp.TraceRequestEndParams) -> None:
        context.span.set_attribute("http.response.status_code", call.response.status)
        context.span.end()

    config = aiohttp.TraceConfig()
    config.on_request_start.append(start)
    config.on_request_end.append(end)
    return config
