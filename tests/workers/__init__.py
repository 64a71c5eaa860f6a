"""Tests of the workers, with the vendors' own SDKs talking to the simulator."""
