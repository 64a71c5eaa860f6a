"""A soak under faults, from a seed: `python -m tests.chaos --help`."""
