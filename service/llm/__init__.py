"""Calls to the language models: the prompt, the vendors' adapters, the gateway and the parser of responses."""
