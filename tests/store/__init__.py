"""The stores against their contract, and what is special about each."""
