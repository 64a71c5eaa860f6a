"""The times of the OTLP export as a value, so that a test can construct its own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTimes:
    """The timeouts and pauses of sending to a collector, all in seconds."""

    # A collector that does not respond holds up the sending thread for at most this long.
    export: float = 2.0
    # The thread pauses between two reads of the queue, so that items are sent in batches.
    pause: float = 0.05
    metrics_every: float = 30.0
    # A stopping process waits at most this long for the rest to be sent.
    last_flush: float = 2.0


DEFAULT_EXPORT_TIMES = ExportTimes()
