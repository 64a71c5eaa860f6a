"""What is special about withdrawals in DynamoDB: another process that decides at the same moment."""

import pytest

from service.domain import Saying, Withdrawal, WithdrawnBy
from service.store.base import Store
from tests.store.builders import collected, generated
from tests.store.clients import faulty
from tests.store.conftest import Dynamo

AT = 1_800_000_600.5
UNKNOWN = generated("words that nobody has stored")
each_kind = pytest.mark.parametrize(
    "saying", [generated("of a model"), collected("by hand"), UNKNOWN], ids=lambda saying: saying.text
)


def by_operator(saying: Saying) -> Withdrawal:
    return Withdrawal(saying.saying_id, "slander", WithdrawnBy.OPERATOR, AT)


def by_visitors(saying: Saying) -> Withdrawal:
    return Withdrawal(saying.saying_id, "reported", WithdrawnBy.VISITORS, AT + 1)


async def put(store: Store, saying: Saying) -> None:
    if saying is not UNKNOWN:
        await store.put_sayings([saying])


@each_kind
async def test_visitors_do_not_replace_what_an_operator_does_meanwhile(dynamo: Dynamo, saying: Saying) -> None:
    await put(dynamo.store, saying)
    store, _ = faulty(dynamo, meanwhile=lambda: dynamo.store.withdraw_saying(by_operator(saying)))

    was_up = await store.withdraw_saying(by_visitors(saying))

    assert not was_up
    assert (await store.withdrawals()).sayings == {saying.saying_id: by_operator(saying)}


@each_kind
async def test_of_two_reports_that_take_a_saying_down_at_once_one_does(dynamo: Dynamo, saying: Saying) -> None:
    await put(dynamo.store, saying)
    store, _ = faulty(dynamo, meanwhile=lambda: dynamo.store.withdraw_saying(by_visitors(saying)))

    assert not await store.withdraw_saying(by_visitors(saying))


@each_kind
async def test_a_restoration_does_nothing_after_another_one(dynamo: Dynamo, saying: Saying) -> None:
    await put(dynamo.store, saying)
    await dynamo.store.withdraw_saying(by_operator(saying))
    store, _ = faulty(dynamo, meanwhile=lambda: dynamo.store.restore_saying(saying.saying_id, at=AT + 1))

    assert not await store.restore_saying(saying.saying_id, at=AT + 2)
