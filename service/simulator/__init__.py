"""The vendors' HTTP APIs without the vendors, for offline runs, tests and benchmarks."""

from service.simulator.app import Simulator
from service.simulator.calls import Call
from service.simulator.faults import Fault, FaultKind

__all__ = ["Call", "Fault", "FaultKind", "Simulator"]
