"""Tests of the simulator, mostly with the vendors' own SDKs over the wire."""
