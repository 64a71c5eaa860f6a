"""The rows of the benchmark: each module has `measure`, which yields what it measured."""
