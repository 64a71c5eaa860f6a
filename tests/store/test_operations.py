"""What each kind of request asks of DynamoDB: operations one after the other, and the write units that they cost."""

import asyncio

import pytest

from tests.moto_server import emptied
from tests.tools.counting import Counted, count_everything

pytestmark = pytest.mark.slow

MOST_WRITE_UNITS_OF_A_VOTE = 12


@pytest.fixture(scope="module")
def counted(moto_server: str) -> Counted:
    with emptied(moto_server) as url:
        return asyncio.run(count_everything(url))


def test_a_warm_saying_asks_for_nothing(counted: Counted) -> None:
    assert counted.counts["warm saying"].operations == {}


def test_a_saying_from_the_database_is_one_query(counted: Counted) -> None:
    assert counted.counts["saying from the database"].operations == {"Query main_humor/index/by_draw": 1}


def test_a_page_of_a_list_is_two_reads_by_key(counted: Counted) -> None:
    page = counted.counts["page of the newest"]

    assert page.operations == {"GetItem service_state": 1, "BatchGetItem main_humor": 1}


@pytest.mark.parametrize(
    "kind", ["vote", "vote without a token", "vote changed", "vote taken back", "vote on a comparison"]
)
def test_a_vote_is_one_read_and_one_transaction_of_few_units(counted: Counted, kind: str) -> None:
    vote = counted.counts[kind]

    assert [call.operation for call in vote.calls] == ["BatchGetItem", "TransactWriteItems"]
    assert 0 < vote.write_units <= MOST_WRITE_UNITS_OF_A_VOTE
