"""The workers that keep the pool warm: rounds of fresh sayings by all models at once."""
