"""The times of the OTLP export as a value, so that a test can construct its own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTimes:
    """How long sending to a collector may take and how long the pauses are, all in seconds."""

    # A collector that does not answer holds up the sending thread for no longer than this.
    export: float = 2.0
    # The thread pauses between two looks at the queue, so that what comes in meanwhile goes out together.
    pause: float = 0.05
    metrics_every: float = 30.0
    # How long a process that stops waits for the rest to be sent.
    last_flush: float = 2.0


DEFAULT_EXPORT_TIMES = ExportTimes()
