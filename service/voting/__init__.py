"""Votes on sayings, comparisons, and votes on comparisons."""
