"""What visitors do: vote, compare, report a saying, ask to be forgotten. And how their data end."""
