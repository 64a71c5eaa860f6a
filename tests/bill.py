"""What the simulated vendors would charge for, whatever our own books say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.catalogue.models import Price
from service.domain import Usage
from service.simulator import SimulatedCall, Simulator
from tests.fakes import the_catalogue


def _price_list() -> dict[str, Price]:
    return {model.id: model.prices[-1] for model in the_catalogue() if model.prices}


@dataclass
class Bill:
    """What the vendors would charge for, and how many calls they had."""

    nanos: int = 0
    calls: int = 0
    failed: int = 0
    _prices: Mapping[str, Price] = field(default_factory=_price_list)

    def collect(self, simulator: Simulator) -> None:
        """Take over what is over, before the simulator forgets it."""
        while simulator.calls:
            self._add(simulator.calls.popleft())

    def _add(self, call: SimulatedCall) -> None:
        self.calls += 1
        self.failed += call.fault is not None
        if call.status in (None, 200):  # also when the client had gone: the response was being written
            usage = Usage(call.input_tokens, call.output_tokens)
            self.nanos += self._prices[call.model].cost_nanos(usage)
