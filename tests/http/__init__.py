"""The HTTP contract, over the wire."""
