"""The vendors' HTTP APIs without the vendors, for offline runs, tests and benchmarks."""

from service.simulator.app import Simulator
from service.simulator.call_log import SimulatedCall
from service.simulator.faults import Fault, FaultKind

__all__ = ["Fault", "FaultKind", "SimulatedCall", "Simulator"]
