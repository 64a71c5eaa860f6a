"""Where sayings, votes, leases and spend are kept: one protocol, two backends."""
