"""The log: one JSON object a line, the same fields on every one, and nothing that could break or fake it."""

import asyncio
import datetime
import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest

from telemetry import traces
from telemetry.events import (
    AwsCalled,
    BallotTaken,
    ComparisonFinished,
    DataPruned,
    DependencyFailed,
    Event,
    FileExposed,
    ModelCalled,
    ModelConcerning,
    ModelLifeMeasured,
    ModelMeasured,
    ModelReport,
    PoolMeasured,
    PriceMissing,
    RequestServed,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SayingReported,
    SayingRestored,
    SayingServed,
    SayingsRejected,
    SayingsWritten,
    SayingTakenDown,
    SpendMeasured,
    SqliteCalled,
    StepTaken,
    Unexpected,
    UsageDoubted,
    VoteTaken,
    WorkFinished,
)
from telemetry.logs import LogListener, configure_logging, logger
from telemetry.traces import xray_form
from tests.logging_capture import Log, captured_log

ALWAYS = {"timestamp", "level", "message", "request_id", "error_type", "error_message", "model", "api_time_ms"}


@pytest.fixture
def log() -> Iterator[Log]:
    with captured_log() as log:
        yield log


def model_called(**fields: Any) -> ModelCalled:
    return ModelCalled(model="gpt-4.1", vendor="openai", kind="live", attempt=1, api_time_ms=1204.2, **fields)


REPORT = ModelReport("gpt-4.1", 3, 2100.0)
FAILED_REPORT = ModelReport("gpt-4.1", 0, 2100.0, "ModelTimeout", "The model did not answer in time.")

LINES: list[tuple[Event, dict[str, Any]]] = [
    (
        PriceMissing("gpt-4.1"),
        {
            "level": "WARNING",
            "message": "a model has no price: its cost is unknown",
            "model": "gpt-4.1",
            "error_type": "PriceMissing",
        },
    ),
    (
        UsageDoubted("gpt-4.1", "no_usage"),
        {
            "level": "WARNING",
            "message": "a vendor's usage is doubted: the worst case is booked",
            "model": "gpt-4.1",
            "reason": "no_usage",
            "error_type": "UsageDoubted",
        },
    ),
    (
        ModelConcerning("openai mid", "The seat is empty."),
        {
            "level": "WARNING",
            "message": "a model needs a person",
            "model": "openai mid",
            "error_type": "ModelConcern",
            "error_message": "The seat is empty.",
        },
    ),
    (
        SayingTakenDown("2b63", "visitors"),
        {
            "level": "WARNING",
            "message": "a saying is set aside until somebody looks at it",
            "saying_id": "2b63",
            "withdrawn_by": "visitors",
            "error_type": "SayingSetAside",
        },
    ),
    (
        SayingTakenDown("2b63", "operator"),
        {"level": "INFO", "message": "a saying is taken down", "saying_id": "2b63", "withdrawn_by": "operator"},
    ),
    (SayingRestored("2b63"), {"level": "INFO", "message": "a saying is restored", "saying_id": "2b63"}),
    (
        SayingReported("2b63", "wrong", "recorded"),
        {"level": "INFO", "message": "saying reported", "saying_id": "2b63", "reason": "wrong", "status": "recorded"},
    ),
    (
        DataPruned(addresses=3, voters=2, unvoted=1, taken_back=4, finished=True),
        {"level": "INFO", "message": "data pruned", "addresses": 3, "taken_back": 4, "finished": True},
    ),
    (
        FileExposed("sayings.db", "0644", narrowed=True),
        {
            "level": "WARNING",
            "message": "other users could read a file of the database",
            "error_type": "FileExposed",
            "name": "sayings.db",
            "mode": "0644",
            "narrowed": True,
        },
    ),
    (
        model_called(input_tokens=200, output_tokens=50, cost_nanos=800_000),
        {
            "level": "INFO",
            "message": "model answered",
            "model": "gpt-4.1",
            "api_time_ms": 1204.2,
            "error_type": "",
            "input_tokens": 200,
            "output_tokens": 50,
            "cost_nanos": 800_000,
        },
    ),
    (
        model_called(error_type="ModelOverloaded", error_message="The vendor failed.", cause="ApiError", status=529),
        {
            "level": "WARNING",
            "message": "model call failed",
            "model": "gpt-4.1",
            "api_time_ms": 1204.2,
            "error_type": "ModelOverloaded",
            "error_message": "The vendor failed.",
            "cause": "ApiError",
            "status": 529,
        },
    ),
    (
        SayingServed("builtin", 9, "database_error"),
        {
            "level": "WARNING",
            "message": "saying served degraded",
            "error_type": "database_error",
            "origin": "builtin",
            "request_number": 9,
        },
    ),
    (
        DependencyFailed("key store", "fetch", "KeyAccessDenied", "The key may not be read.", "ClientError"),
        {
            "level": "WARNING",
            "message": "key store failed",
            "dependency": "key store",
            "operation": "fetch",
            "error_type": "KeyAccessDenied",
            "error_message": "The key may not be read.",
            "cause": "ClientError",
        },
    ),
    (
        SayingsRejected("gpt-4.1", ("too long", "no service named")),
        {
            "level": "WARNING",
            "message": "model output rejected",
            "model": "gpt-4.1",
            "error_type": "OutputRejected",
            "problems": ["too long", "no service named"],
        },
    ),
    (
        RequestServed("vote", 503, 12.5, "store_unavailable"),
        {
            "level": "WARNING",
            "message": "request failed",
            "operation": "vote",
            "status": 503,
            "total_ms": 12.5,
            "error_type": "store_unavailable",
        },
    ),
    (
        VoteTaken("POSITIVE", "recorded", "gpt-4.1"),
        {"level": "INFO", "message": "vote taken", "feedback_type": "POSITIVE", "status": "recorded"},
    ),
    (
        ComparisonFinished(3, 1, 2150.0, abandoned=True),
        {
            "level": "INFO",
            "message": "comparison finished",
            "answered": 3,
            "failed": 1,
            "total_ms": 2150.0,
            "replayed": "",
            "abandoned": True,
            "error_type": "",
        },
    ),
    (
        BallotTaken("tie", "after_reveal"),
        {"level": "INFO", "message": "ballot taken", "outcome": "tie", "status": "after_reveal", "error_type": ""},
    ),
    (
        REPORT,
        {"level": "INFO", "message": "model took part in the round", "model": "gpt-4.1", "sayings": 3},
    ),
    (
        FAILED_REPORT,
        {
            "level": "WARNING",
            "message": "model failed in the round",
            "model": "gpt-4.1",
            "error_type": "ModelTimeout",
            "error_message": "The model did not answer in time.",
        },
    ),
    (
        RoundFinished((REPORT, FAILED_REPORT), 2150.0, 7),
        {"level": "INFO", "message": "round finished", "total_ms": 2150.0, "fencing_token": 7, "error_type": ""},
    ),
    (
        RoundFailed("InvocationFailed", "The round did not end in time."),
        {"level": "WARNING", "message": "round failed", "error_type": "InvocationFailed"},
    ),
    (
        Unexpected("GET /sayings", ZeroDivisionError()),
        {
            "level": "ERROR",
            "message": "unexpected error",
            "operation": "GET /sayings",
            "error_type": "ZeroDivisionError",
            "error_message": "unexpected ZeroDivisionError",
        },
    ),
]


UNLOGGED = [
    RoundStarted(("gpt-4.1",)),
    AwsCalled("DynamoDB", "GetItem", "eu-west-1", 4.2, 200),
    SqliteCalled("vote", 0.7),
    WorkFinished("upkeep", 41.2),
    PoolMeasured("gpt-4.1", 12),
    ModelMeasured("gpt-4.1", failing=True),
    SpendMeasured(0.42),
    ModelLifeMeasured("gpt-4.1", 47),
    SayingsWritten("5" * 48, ("a" * 32,)),
    StepTaken("prepare", "53995c3f42cd8ad8", 3.2, "gpt-4.1"),
]


@pytest.mark.parametrize(("event", "fields"), LINES)
def test_what_is_worth_a_line_is_one_json_object_with_every_field(
    event: Event, fields: dict[str, Any], log: Log
) -> None:
    LogListener().emit(event)

    record = log.only
    assert record.keys() >= ALWAYS
    assert {name: record[name] for name in fields} == fields


@pytest.mark.parametrize(
    "event",
    [
        SayingServed("cache", 9, None),
        RequestServed("sayings", 200, 0.4),
        RequestServed("vote", 404, 0.4, "saying_not_found"),
        *UNLOGGED,
    ],
)
def test_a_warm_hit_and_other_everyday_things_write_nothing(event: Event, log: Log) -> None:
    LogListener().emit(event)

    assert log.lines == []


def test_every_kind_of_event_has_its_place_in_these_tests() -> None:
    assert {type(event) for event, _ in LINES} == set(Event.__subclasses__()) - {type(event) for event in UNLOGGED}


@pytest.mark.parametrize(("level", "levels"), [("INFO", ["INFO", "WARNING"]), ("ERROR", [])])
def test_the_level_is_the_one_that_was_set(level: str, levels: list[str]) -> None:
    with captured_log(level) as log:
        LogListener().emit(REPORT)
        LogListener().emit(FAILED_REPORT)
        logging.getLogger("aiohttp.server").warning("Something is odd")

    assert [record["level"] for record in log.records if record["logger"] == "sayings"] == levels
    assert len(log.records) == len(levels) + (level == "INFO")


def test_a_library_that_is_set_to_debug_writes_only_its_warnings(log: Log) -> None:
    library = logging.getLogger("anthropic")
    library.setLevel(logging.DEBUG)  # as ANTHROPIC_LOG=debug does when the SDK is imported

    library.debug("Request options: …")
    library.info("HTTP Request: …")
    library.warning("Retrying %s in %.1f seconds", "the request", 0.5)
    library.setLevel(logging.NOTSET)

    assert [record["message"] for record in log.records] == ["Retrying the request in 0.5 seconds"]


async def test_the_request_id_is_the_one_of_the_request_that_logs(log: Log) -> None:
    async def request(id_: str) -> None:
        traces.begin({"X-Amzn-Trace-Id": f"Root={xray_form(id_)}"})
        await asyncio.sleep(0)
        LogListener().emit(REPORT)

    first, second = "1" * 32, "2" * 32
    await asyncio.gather(asyncio.create_task(request(first)), asyncio.create_task(request(second)))
    LogListener().emit(REPORT)

    assert [record["request_id"] for record in log.records] == [first, second, ""]
    assert [record["trace_id"] for record in log.records] == [first, second, ""]
    assert [record["xray_trace_id"] for record in log.records] == [xray_form(first), xray_form(second), ""]


def test_an_exception_comes_with_its_stack_and_with_what_led_to_it(log: Log) -> None:
    def fail() -> None:
        raise KeyError("not written either")

    try:
        try:
            fail()
        except KeyError as cause:
            raise RuntimeError("no text of it is written") from cause
    except RuntimeError as error:
        LogListener().emit(Unexpected("test", error))

    assert log.only["error_type"] == "RuntimeError"
    assert log.only["error_message"] == "unexpected RuntimeError from KeyError"
    assert "in fail" in log.only["stack"]
    assert "raise RuntimeError" in log.only["stack"]


def test_exceptions_that_caused_each_other_end_somewhere(log: Log) -> None:
    first, second = ValueError(), TypeError()
    first.__cause__, second.__cause__ = second, first

    LogListener().emit(Unexpected("test", first))

    assert log.only["error_message"] == "unexpected ValueError from TypeError"


def test_what_an_exception_hides_stays_hidden(log: Log) -> None:
    try:
        try:
            raise KeyError
        except KeyError:
            raise ValueError from None
    except ValueError as error:
        LogListener().emit(Unexpected("test", error))

    assert log.only["error_message"] == "unexpected ValueError"


HOSTILE = 'x\r\n{"level": "ERROR"}\x1b[31m\x00\x85\u2028\u202e"\\'


def test_hostile_text_stays_in_its_field_and_on_its_line(log: Log) -> None:
    LogListener().emit(DependencyFailed("store", "vote", "StoreError", HOSTILE))

    assert log.only["error_message"] == HOSTILE
    assert not any(ord(character) < 32 for character in log.lines[0])


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    "value", ["\ud800", object(), {(1, 2): 3}, {"a": {1}}, CIRCLE, math.nan, -math.inf, 10**400, b"\xff", 1j]
)
def test_a_field_that_json_cannot_hold_breaks_nothing(value: object, log: Log) -> None:
    logger.warning("odd", extra={"fields": {"odd": value, "model": "gpt-4.1"}})

    record = json.loads(log.lines[0], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (record["message"], record["model"]) == ("odd", "gpt-4.1")
    assert "odd" in record


@pytest.mark.parametrize(
    ("template", "args", "message"),
    [
        ("%d of %s", (3, "four"), "3 of four"),
        ("%(n)d left", ({"n": 3},), "3 left"),
        ("100 %", (), "100 %"),
        ("%d", ("three",), "%d"),
        ("%s and %s", ("one",), "%s and %s"),
        ("%(n)d", ({"m": 3},), "%(n)d"),
        ("\ud800", (), "\ud800"),
        (["a", "list"], (), "list"),
        ("first\nsecond", (), "first"),
    ],
)
def test_a_message_is_put_together_and_never_breaks_the_log(template: Any, args: tuple[Any, ...], message: str) -> None:
    with captured_log() as log:  # here, and so without pytest's own handlers, which do break
        logging.getLogger("some.library").warning(template, *args)

    assert log.only["message"] == message


def test_the_time_is_utc_to_the_millisecond(log: Log) -> None:
    before = datetime.datetime.now(datetime.UTC)

    LogListener().emit(REPORT)

    written = datetime.datetime.fromisoformat(log.only["timestamp"])
    assert written.utcoffset() == datetime.timedelta(0)
    assert before - datetime.timedelta(milliseconds=1) <= written <= datetime.datetime.now(datetime.UTC)


def test_logs_go_to_stdout_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    with captured_log():
        configure_logging()
        LogListener().emit(REPORT)

    printed = capsys.readouterr()
    assert json.loads(printed.out)["model"] == "gpt-4.1"
    assert printed.err == ""
