"""What the vendors charge for, out of all that reached them."""

import time
from dataclasses import replace

from service.catalogue.models import NANOS_PER_DOLLAR
from service.domain import Usage
from service.simulator import FaultKind, SimulatedCall, Simulator
from tests.bill import Bill
from tests.fakes import the_catalogue

ANSWERED = SimulatedCall(
    "gpt-4.1", "openai", 200, time.monotonic(), time.monotonic(), 200, 50, 600, 0.1, None, cancelled=False
)


def test_answers_are_billed_also_those_that_nobody_waited_for() -> None:
    simulator, bill = Simulator(), Bill()
    price = the_catalogue()["gpt-4.1"].price
    assert price is not None

    simulator.calls.extend([ANSWERED, replace(ANSWERED, status=None, cancelled=True)])
    bill.collect(simulator)

    assert bill.nanos == 2 * price.cost_nanos(Usage(200, 50)) < NANOS_PER_DOLLAR
    assert bill.calls == 2
    assert not simulator.calls


def test_refusals_cost_nothing() -> None:
    simulator, bill = Simulator(), Bill()
    refused = replace(ANSWERED, status=429, fault=FaultKind.RATE_LIMITED)

    simulator.calls.append(refused)
    bill.collect(simulator)

    assert (bill.nanos, bill.calls, bill.failed) == (0, 1, 1)
