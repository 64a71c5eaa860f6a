"""The statistics computed from the counts: intervals, percentiles, strengths, verdicts. Only `cached` does any I/O."""
