"""Which saying comes next, and what keeps the pool of warm sayings filled."""
