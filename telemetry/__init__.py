"""What the service tells about itself: events, and the listeners that turn them into logs, metrics and traces."""
