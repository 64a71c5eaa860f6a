"""The telemetry of the service: events, and the listeners that turn them into logs, metrics and traces."""

# The version of the whole project. It is here because everything may import telemetry, and telemetry nothing else.
__version__ = "0.1.0"
