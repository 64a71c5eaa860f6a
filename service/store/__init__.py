"""The store for sayings, votes, comparisons, calls, leases and spend: one protocol with two backends."""
