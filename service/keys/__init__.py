"""The API keys: the sources they come from, and the store that keeps them for a time."""
