"""The column of DynamoDB: it fails between moto and the service; no vote is lost, none counted twice."""

import asyncio
import time
from typing import Any

import pytest

from service.domain import Saying
from service.errors import StoreError
from service.resilience.retry_budget import RETRY_SHARE
from service.store.base import StoredBallot
from service.store.dynamodb.database import RETRIES_IN_STOCK
from telemetry.events import AwsCalled, DependencyFailed, Unexpected
from tests.aws import REGION
from tests.faults import proxy as faults
from tests.faults.conftest import LONG, Start, saying
from tests.faults.places import Tables
from tests.faults.proxy import Fault, refuse, unheard
from tests.http.conftest import SIMULATED, Server
from tests.store.builders import comparison, shown
from tests.store.counting import totals
from tests.support import RecordingListener, model_saying

READ, TRANSACT, GET, QUERY, UPDATE = "BatchGetItem", "TransactWriteItems", "GetItem", "Query", "UpdateItem"
ATTEMPTS, CONFLICT_ATTEMPTS = 3, 10
UNAVAILABLE = (503, "store_unavailable")
CALLS = 100
IDENTITY = "0" * 32

THROTTLES = {
    "throughput": refuse("ProvisionedThroughputExceededException"),
    "throttling": refuse("ThrottlingException"),
    "request limit": refuse("RequestLimitExceeded"),
    "throttled transaction": refuse("TransactionCanceledException", 400, "None", "None", "ThrottlingError"),
}
CONFLICT = refuse("TransactionCanceledException", 400, "None", "TransactionConflict", "None")
FAILURES = {"500": refuse("InternalServerError", 500), "503": refuse("ServiceUnavailable", 503)}
NONSENSE = {
    "bad JSON": faults.junk(b'{"Item": {"saying_id"'),
    "null": faults.junk(b"null"),
    "a list": faults.junk(b"[]"),
    "HTML": faults.junk(b"<html>502</html>"),
    "empty": faults.junk(b""),
    "bad UTF-8": faults.junk(b'{"Item": "\xff"}'),
    "other types": faults.junk(b'{"Item": 7, "Items": 7}'),
    "truncated": faults.truncated,
}


@pytest.fixture
async def server(aws: Tables, start: Start) -> Server:
    """A server that waits for DynamoDB, however long it takes."""
    server = await start(store=aws.address, aws_region=REGION, timeouts=LONG)
    await aws.seed()
    return server


@pytest.fixture
async def hasty(aws: Tables, start: Start) -> Server:
    """A server that waits no longer than usual."""
    server = await start(store=aws.address, aws_region=REGION)
    await aws.seed()
    return server


def vote_on(saying: Saying) -> dict[str, Any]:
    return {"saying": saying.text, "source": saying.source, "feedbackType": "POSITIVE"}


async def vote(server: Server, voter: str = "v") -> tuple[int, str]:
    """Vote; returns the HTTP status, and the status of the vote or its error code."""
    answer = await server.post_vote(vote_on(SIMULATED), Cookie=f"sayings_voter={voter * 32}")
    if answer.status == 200:
        return 200, answer.json["status"]
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0
    return answer.error


async def upvotes(aws: Tables) -> tuple[int, int]:
    """The upvotes counted for the saying and for its model."""
    answer = await aws.dynamodb.get_item(
        TableName=f"{aws.prefix}main_humor", Key={"saying_id": {"S": SIMULATED.saying_id}}
    )
    tally = (await totals(aws.store)).get(SIMULATED.contributor)
    return int(answer["Item"].get("upvotes", {"N": "0"})["N"]), tally.unverified.upvotes if tally else 0


@pytest.mark.slow
async def test_hang_or_drip_a_vote_is_503_and_safe_to_repeat(hasty: Server, server: Server, aws: Tables) -> None:
    aws.proxy.inject(READ, faults.hang)
    for fault in (faults.hang, unheard(faults.hang), faults.drip):
        aws.proxy.inject(TRANSACT, fault)

    first = await asyncio.gather(*(vote(hasty, voter) for voter in "abcd"))
    second = [await vote(server, voter) for voter in "abcd"]
    third = [await vote(server, voter) for voter in "abcd"]

    assert first == [UNAVAILABLE] * 4
    assert sorted(second) == [(200, "recorded")] * 2 + [(200, "unchanged")] * 2
    assert third == [(200, "unchanged")] * 4
    assert await upvotes(aws) == (4, 4)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [faults.hang, faults.drip], ids=["hang", "slow drip"])
async def test_hang_people_get_another_saying(hasty: Server, aws: Tables, fault: Fault) -> None:
    aws.proxy.inject(QUERY, fault, count=2)

    cold = await saying(hasty)
    hasty.resources.pool.add([model_saying("A warm saying on Amazon S3.", created_at=time.time())])
    warm = await saying(hasty)

    assert (cold["origin"], cold["degraded"]) == ("builtin", "database_timeout")
    assert (warm["origin"], warm["degraded"]) == ("cache", "database_timeout")


@pytest.mark.parametrize(("operation", "name"), [(READ, "throughput"), *((TRANSACT, name) for name in THROTTLES)])
async def test_429_is_retried_and_then_503(server: Server, aws: Tables, operation: str, name: str) -> None:
    aws.proxy.inject(operation, THROTTLES[name], count=ATTEMPTS - 1)
    mended = await vote(server)
    aws.proxy.inject(operation, THROTTLES[name], count=None)
    asked = aws.proxy.asked[operation]
    refused = await vote(server, "w")

    assert (mended, refused) == ((200, "recorded"), UNAVAILABLE)
    assert aws.proxy.asked[operation] - asked <= ATTEMPTS
    assert await upvotes(aws) == (1, 1)


async def test_conflicts_with_other_votes_are_retried_and_then_503(server: Server, aws: Tables) -> None:
    aws.proxy.inject(TRANSACT, CONFLICT, count=CONFLICT_ATTEMPTS - 1)
    mended = await vote(server)
    aws.proxy.inject(TRANSACT, CONFLICT, count=None)
    refused = await vote(server, "w")

    assert (mended, refused) == ((200, "recorded"), UNAVAILABLE)
    assert aws.proxy.asked[TRANSACT] == 2 * CONFLICT_ATTEMPTS
    assert await upvotes(aws) == (1, 1)


@pytest.mark.parametrize("name", FAILURES)
async def test_500_is_tried_three_times_and_then_503(server: Server, aws: Tables, name: str) -> None:
    aws.proxy.inject(TRANSACT, unheard(FAILURES[name]), count=ATTEMPTS - 1)
    mended = await vote(server)
    aws.proxy.inject(TRANSACT, FAILURES[name], count=None)
    refused = await vote(server, "w")

    assert (mended, refused) == ((200, "recorded"), UNAVAILABLE)
    assert aws.proxy.asked[TRANSACT] == 2 * ATTEMPTS
    assert await upvotes(aws) == (1, 1)


@pytest.mark.parametrize(
    ("operation", "answers"),
    [(READ, (UNAVAILABLE, 200)), (TRANSACT, (UNAVAILABLE, 200)), (QUERY, ((200, "recorded"), 200))],
)
async def test_bad_json_html_or_nothing_is_never_taken_for_a_response(
    server: Server, aws: Tables, events: RecordingListener, operation: str, answers: tuple[object, object]
) -> None:
    for voter, fault in zip("abcdefgh", NONSENSE.values(), strict=True):
        aws.proxy.inject(operation, fault, count=None)
        met = await vote(server, voter), (await server.ask("GET", "/sayings")).status
        aws.proxy.clear()
        repeated = await vote(server, voter)

        assert met == answers
        assert repeated[0] == 200
    assert await upvotes(aws) == (len(NONSENSE), len(NONSENSE))
    assert not events.of(Unexpected)


async def test_corrupt_items_are_skipped_and_counted(server: Server, aws: Tables, events: RecordingListener) -> None:
    damaged: list[tuple[str, dict[str, Any]]] = [
        ("saying_comparisons", {"comparison_id": {"S": IDENTITY}, "part": {"S": "comparison"}}),
        ("saying_comparisons", {"comparison_id": {"S": IDENTITY}, "part": {"S": "ballot#v"}}),
        ("saying_feedback", {"saying_id": {"S": SIMULATED.saying_id}, "voter": {"S": "v"}}),
        ("model_calls", {"generation_id": {"S": "damaged"}}),
    ]
    whole = comparison("1" * 32)
    await aws.store.put_comparison(whole, shown(whole))
    for table, item in damaged:
        await aws.dynamodb.put_item(TableName=aws.prefix + table, Item=item)

    refused = await server.ask("POST", f"/compare/{IDENTITY}/vote", json={"winner": "A"})
    store = server.resources.store
    streams = [[each async for each in rows] for rows in (store.all_votes(), store.all_ballots(), store.all_calls())]

    assert refused.error == (404, "comparison_not_found")
    assert streams == [[], [StoredBallot(shown(whole), whole)], []]
    assert {failed.error_type for failed in events.of(DependencyFailed)} == {"DamagedRow"}
    told = sorted(failed.operation for failed in events.of(DependencyFailed))
    assert told == ["read ballot", "read call", *["read comparison"] * 2, "read vote"]


@pytest.mark.parametrize("name", ["429", "500", "reset"])
async def test_retries_are_a_tenth_of_the_calls_however_long_it_lasts(server: Server, aws: Tables, name: str) -> None:
    fault = {"429": THROTTLES["throttling"], "500": FAILURES["500"], "reset": faults.reset}[name]
    aws.proxy.inject(GET, fault, count=None)

    for number in range(CALLS):  # one by one, so that none meets its deadline instead
        with pytest.raises(StoreError):
            await server.resources.store.get_saying(f"{number}")

    assert RETRIES_IN_STOCK <= aws.proxy.asked[GET] - CALLS <= RETRIES_IN_STOCK + RETRY_SHARE * CALLS


async def test_conflicts_cost_no_retries(server: Server, aws: Tables) -> None:
    aws.proxy.inject(TRANSACT, CONFLICT, count=4 * CONFLICT_ATTEMPTS)
    aws.proxy.inject(QUERY, FAILURES["500"], count=ATTEMPTS - 1)

    refused = [await vote(server, voter) for voter in "abcd"]
    told = await saying(server)

    assert refused == [UNAVAILABLE] * 4
    assert (told["origin"], told["degraded"]) == ("database", None)


@pytest.mark.parametrize("fault", [faults.reset, unheard(faults.reset)], ids=["before", "after"])
@pytest.mark.parametrize("operation", [READ, TRANSACT])
async def test_reset_is_safe_because_writes_are_conditional(
    server: Server, aws: Tables, operation: str, fault: Fault
) -> None:
    aws.proxy.inject(operation, fault, count=ATTEMPTS - 1)

    answer = await vote(server)

    assert answer == (200, "recorded")
    assert await upvotes(aws) == (1, 1)


async def test_reset_for_good_is_503_and_safe_to_repeat(server: Server, aws: Tables) -> None:
    aws.proxy.inject(TRANSACT, unheard(faults.reset), count=ATTEMPTS)

    answers = [await vote(server), await vote(server)]

    assert answers == [UNAVAILABLE, (200, "unchanged")]
    assert await upvotes(aws) == (1, 1)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("AccessDeniedException", "access_denied"),
        ("UnrecognizedClientException", "credentials_rejected"),
        ("ExpiredTokenException", "credentials_expired"),
    ],
)
async def test_key_revoked_is_503_and_not_ready_and_not_tried_again(
    server: Server, aws: Tables, code: str, state: str
) -> None:
    aws.proxy.inject("*", refuse(code), count=None)

    refused, attempts = await vote(server), aws.proxy.asked.total()
    ready, told = await server.ask("GET", "/health/ready"), await saying(server)
    aws.proxy.clear()
    again = await vote(server), (await server.ask("GET", "/health/ready")).status

    assert refused == UNAVAILABLE
    assert attempts == 1
    assert (ready.status, ready.json["dependencies"], ready.json["causes"]) == (503, {"store": state}, {"store": code})
    assert (told["origin"], told["degraded"]) == ("builtin", "database_error")
    assert again == ((200, "recorded"), 200)


@pytest.mark.parametrize(
    "fault",
    [faults.reset, refuse("InternalServerError", 500), unheard(refuse("InternalServerError", 500))],
    ids=["reset", "500", "500 after it was done"],
)
async def test_money_that_cannot_be_reserved_is_neither_spent_nor_retried(
    server: Server, aws: Tables, fault: Fault
) -> None:
    for _ in range(3):
        await saying(server)
    aws.proxy.inject(UPDATE, fault, count=None)

    live = await saying(server)

    assert (live["origin"], live["degraded"]) == ("database", "database_error")
    assert aws.proxy.asked[UPDATE] == 1


async def test_every_attempt_is_measured_without_the_requests_content(
    server: Server, aws: Tables, events: RecordingListener
) -> None:
    aws.proxy.inject(TRANSACT, THROTTLES["throughput"])

    await vote(server)

    calls = [(call.status, call.error_type) for call in events.of(AwsCalled) if call.operation == TRANSACT]
    assert calls == [(400, "ProvisionedThroughputExceededException"), (200, "")]
    told = repr(events.of(AwsCalled) + events.of(DependencyFailed))
    assert not {SIMULATED.text, SIMULATED.saying_id, "v" * 32} & set(told.split("'"))
