"""The calls to AWS that both functions make, recorded once."""

import asyncio

import pytest

from tests.deploy.recording import OPERATOR_KEY_PARAMETER, Call, record
from tests.deploy.stack import Stack
from tests.moto_server import emptied


@pytest.fixture(scope="session")
def recorded(moto_server: str) -> dict[str, list[Call]]:
    """By the logical id of the function."""
    with emptied(moto_server) as url:
        return asyncio.run(record(Stack(OperatorKeyParameterName=OPERATOR_KEY_PARAMETER), url))
