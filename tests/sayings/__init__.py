"""Which saying comes next, and the pool."""
