"""State machines: any sequence of what people and operators do, and of crashes, held against a model in plain Python.

A run is the same every time. `pytest tests/stateful --hypothesis-seed=17` makes another one, `--hypothesis-seed=random`
a random one; with a seed, the steps of a failure are also boiled down, which may take five minutes.
"""
