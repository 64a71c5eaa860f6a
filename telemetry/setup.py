"""The listeners of a process: logs always, OpenTelemetry where its variables say so, the terminal's tree on request.

docs/TELEMETRY.md lists the variables.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from telemetry.events import Listener, Listeners
from telemetry.export_times import DEFAULT_EXPORT_TIMES, ExportTimes
from telemetry.logs import LogListener
from telemetry.metrics import Metrics
from telemetry.notes import NoteTaker, Outlet
from telemetry.otel_settings import OtelSettings, read_otel_settings
from telemetry.outbound import DIRECT, Outbound
from telemetry.sampling import Sampler, Trust


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The listener to emit to, and the background jobs by name that must run for it."""

    listener: Listener
    jobs: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


@asynccontextmanager
async def open_telemetry(
    environ: Mapping[str, str],
    *,
    outbound: Outbound = DIRECT,
    show_traces: bool = False,
    behind_proxies: bool = False,
    logs: Listener | None = None,
    times: ExportTimes = DEFAULT_EXPORT_TIMES,
) -> AsyncIterator[Telemetry]:
    """Open telemetry for a server or a worker; as the block ends the rest is sent, within `times.last_flush` seconds.

    `behind_proxies` means that only proxies of ours can reach this process. `logs` replaces the JSON log, for commands
    that show a person something else. Raises OtelSettingError.
    """
    settings = read_otel_settings(environ, outbound)
    sampler = Sampler(settings, Trust.PROXIES if behind_proxies else Trust.NOBODY)
    listeners: list[Listener] = [logs or LogListener()]
    jobs: dict[str, Callable[[], Awaitable[None]]] = {}
    show = _console() if show_traces else None
    keep: Outlet | None = None
    async with AsyncExitStack() as stack:
        if _wants_export(settings):
            from telemetry.export import Export  # imported here, because it imports OpenTelemetry

            metrics = Metrics()
            export = Export(settings, sampler, metrics, times)
            export.open()
            stack.push_async_callback(export.close)
            listeners.append(metrics)
            jobs["telemetry"] = export.run
            keep = export.keep
        if settings.logs_exporters and not settings.disabled:
            from telemetry.evaluations import Evaluations

            evaluations = Evaluations(settings)
            stack.push_async_callback(evaluations.close, times.last_flush)
            listeners.append(evaluations)
        if keep or show:
            listeners.append(NoteTaker(sampler, keep=keep, show=show))
        yield Telemetry(Listeners(*listeners) if len(listeners) > 1 else listeners[0], jobs)


def _wants_export(settings: OtelSettings) -> bool:
    return not settings.disabled and bool(settings.traces_exporters or settings.metrics_exporters)


def _console() -> Outlet:
    from rich.console import Console

    from telemetry.console import TraceConsole

    return TraceConsole(Console(file=sys.stderr)).show
