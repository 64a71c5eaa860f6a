"""Calling the language models: prompt, adapters, gateway and the parsing of what comes back."""
