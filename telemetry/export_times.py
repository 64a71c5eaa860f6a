"""The times of the OTLP export as a value, so that a test can construct its own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTimes:
    """The times of sending to a collector that no variable sets, in seconds."""

    # A stopping process waits at most this long for the rest to be sent.
    last_flush: float = 2.0


DEFAULT_EXPORT_TIMES = ExportTimes()
