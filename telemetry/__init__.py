"""The telemetry of the service: events, and the listeners that turn them into logs, metrics and traces."""
