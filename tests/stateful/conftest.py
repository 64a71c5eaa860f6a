"""Runs state machines: alike every time, unless a seed is given."""

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.store.conftest import connect

__all__ = ["connect", "run_machine"]

# A factory of machines, how many of them are tried and how many steps each takes.
RunMachine = Callable[[Callable[[], RuleBasedStateMachine], int, int], None]


@pytest.fixture
def run_machine(pytestconfig: pytest.Config) -> RunMachine:
    is_alike = pytestconfig.getoption("--hypothesis-seed") is None

    def run(machine: Callable[[], RuleBasedStateMachine], examples: int, steps: int) -> None:
        chosen = settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=is_alike,
            database=None,
            deadline=None,
            phases=[Phase.generate, *([] if is_alike else [Phase.shrink])],
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=chosen)

    return run
