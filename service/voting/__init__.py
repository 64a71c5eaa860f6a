"""Votes on sayings, comparisons and the votes on them."""
