"""AWS clients, and what is reported of their calls."""
