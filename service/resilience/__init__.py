"""Timeouts, retries and background tasks."""
