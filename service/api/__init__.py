"""The HTTP contract, free of any framework: requests are mapped to use cases, and their results to responses."""
