"""Guards are proven: each is taken out of a copy of the code, and a test must fail. `python -m tests.guards`."""
