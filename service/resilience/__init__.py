"""Timeouts, the retry budget and background tasks."""
