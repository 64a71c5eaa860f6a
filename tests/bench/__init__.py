"""The benchmark, `make bench` and `make bench-quick`: what is measured is in rows/, what beside it in variants/."""
