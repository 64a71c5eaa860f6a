"""Timeouts, the retry budget, background tasks, and the networks by which clients are bounded."""
