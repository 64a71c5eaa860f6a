"""Chooses the next saying, and keeps the pool of warm sayings filled."""
