"""AWS clients, and the reports of their calls."""
