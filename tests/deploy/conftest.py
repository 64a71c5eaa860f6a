"""The calls to AWS that both functions make, recorded once."""

import asyncio

import pytest

from tests.deploy.recording import OPERATOR_KEY_PARAMETER, Call, record
from tests.deploy.stack import Stack


@pytest.fixture(scope="session")
def recorded(moto_server: str) -> dict[str, list[Call]]:
    """By the logical id of the function."""
    return asyncio.run(record(Stack(OperatorKeyParameterName=OPERATOR_KEY_PARAMETER), moto_server))
