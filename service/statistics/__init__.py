"""What the counts mean: intervals, percentiles, strengths, verdicts. Pure but for `current`, which reads the counts."""
