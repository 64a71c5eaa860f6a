"""The HTTP contract, free of any framework: a request becomes a use case, and its result a response."""
