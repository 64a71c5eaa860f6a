"""What measures, for the benchmark and for tests of what requests cost."""
