"""The workers, which keep the pool warm by rounds: in a round all models write fresh sayings at once."""
