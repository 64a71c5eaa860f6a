"""The contract's own parts, without a server."""
