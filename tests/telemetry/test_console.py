"""The console shows the story of a request on the terminal where there is no telemetry backend."""

import io
import re

import pytest
from msgspec.structs import replace
from rich.console import Console

from telemetry.console import TraceConsole
from telemetry.events import (
    AwsCalled,
    BallotTaken,
    ComparisonFinished,
    DependencyFailed,
    Event,
    ModelCalled,
    ModelReport,
    RequestServed,
    RoundFinished,
    RoundStarted,
    SayingServed,
    SqliteCalled,
    Unexpected,
    VoteTaken,
)
from telemetry.notes import NoteTaker
from telemetry.setup import open_telemetry
from telemetry.traces import begin, below, step, work
from tests.telemetry.composition import SAMPLED, sampler
from tests.telemetry.stories import GENERATION

SERVED = RequestServed("getSaying", 200, 1210.5, "", "GET", "/sayings")
CALLED = ModelCalled("gpt-4.1", "openai", "live", 1, 1204.25, input_tokens=200, output_tokens=50, cost_nanos=800_000)


def shown(*events: Event) -> list[str]:
    """The lines on the terminal for a request with these events."""
    terminal = io.StringIO()
    notes = NoteTaker(sampler(0), show=TraceConsole(Console(file=terminal, width=120)).show)
    begin(SAMPLED)
    for event in events:
        notes.emit(event)
    return terminal.getvalue().splitlines()


def test_a_request_is_a_tree_with_its_calls_and_its_metrics() -> None:
    lines = shown(
        SqliteCalled("reserve_spend", 0.5), CALLED, AwsCalled("DynamoDB", "PutItem", "eu-west-1", 4.2, 200, "", ("t",)),
        SayingServed("live", 4, None), SERVED,
    )  # fmt: skip

    assert lines == [
        "GET /sayings 200 in 1210.50 ms   1-6a2b3c4d-0123456789abcdef01234567",
        "├──      0.50 ms  sqlite reserve_spend",
        "├──   1204.25 ms  chat gpt-4.1 (openai)  200 + 50 tokens, $0.000800",
        "├──      4.20 ms  DynamoDB.PutItem  t",
        "├── saying 4 from live",
        "├── APILatency 1204.25 ms  openai gpt-4.1",
        "├── TotalExecutionTime 1210.5 ms  getSaying",
        "├── TokensUsed 250  openai gpt-4.1",
        "└── Cost 0.0008 USD  openai gpt-4.1",
    ]


def test_what_belongs_to_a_step_is_below_it() -> None:
    terminal = io.StringIO()
    notes = NoteTaker(sampler(0), show=TraceConsole(Console(file=terminal, width=120)).show)
    begin(SAMPLED)
    with step("slot A", "gpt-4.1"):
        with step("prepare", "gpt-4.1"):
            notes.emit(SqliteCalled("reserve_spend", 0.5))
        with below(GENERATION[32:], "chat", "gpt-4.1"):
            notes.emit(SqliteCalled("of another library", 0.5))
        notes.emit(replace(CALLED, generation_id=GENERATION))
    notes.emit(SERVED)

    lines = [re.sub(r"[0-9.]+ ms  ", "", line) for line in terminal.getvalue().splitlines()]
    assert [re.sub(r" +", " ", line.replace("│", " ")).rstrip() for line in lines[1:6]] == [
        "├── slot A gpt-4.1",
        " ├── prepare gpt-4.1",
        " └── sqlite reserve_spend",
        " └── chat gpt-4.1 (openai) 200 + 50 tokens, $0.000800",
        " └── sqlite of another library",
    ]


def test_errors_say_what_failed() -> None:
    lines = shown(
        ModelCalled("gpt-4.1", "openai", "live", 1, 80.0, "ModelRateLimited", "The vendor asks for fewer calls."),
        DependencyFailed("store", "random saying", "StoreError", "The database is broken."),
        Unexpected("getSaying", ValueError("sk-secret")),
        SayingServed("builtin", 4, "live_rate_limited"),
        RequestServed("getSaying", 500, 90.0, "internal_error", "GET", "/sayings"),
    )

    text = "\n".join(lines)
    assert "chat gpt-4.1 (openai)  0 + 0 tokens  ModelRateLimited" in text
    assert "store: The database is broken." in text
    assert "getSaying: ValueError" in text
    assert "saying 4 from builtin because live_rate_limited" in text
    assert "Errors 1  getSaying internal_error" in text
    assert "sk-secret" not in text


def test_a_round_and_a_vote_are_shown_too() -> None:
    reports = (ModelReport("gpt-4.1", 3, 900.0), ModelReport("gpt-4.1-mini", 0, 80.0, "ModelTimeout"))

    with work():
        round_ = shown(RoundStarted(("gpt-4.1",)), *reports, RoundFinished(reports, 901.0, 1))
    vote = shown(VoteTaken("POSITIVE", "recorded", "gpt-4.1"), RequestServed("postFeedback", 200, 2.0))
    ballot = shown(BallotTaken("tie", "after_reveal"), RequestServed("postCompareVote", 200, 2.0))

    assert round_[0].startswith("round in 901 ms")
    assert "gpt-4.1-mini brought 0  ModelTimeout" in "\n".join(round_)
    assert "RoundSayings 3  gpt-4.1" in "\n".join(round_)
    assert "vote POSITIVE: recorded (gpt-4.1)" in "\n".join(vote)
    assert "ballot tie: after_reveal" in "\n".join(ballot)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ComparisonFinished(3, 1, 900.0), "900.00 ms  comparison: 3 answered, 1 failed"),
        (ComparisonFinished(4, 0, 1.0, replayed="busy"), "1.00 ms  comparison: 4 answered, 0 failed, shown again"),
        (ComparisonFinished(1, 3, 80.0, abandoned=True), "80.00 ms  comparison: 1 answered, 3 failed, abandoned"),
    ],
)
def test_a_comparison_tells_how_it_ended(event: ComparisonFinished, line: str) -> None:
    lines = shown(event, RequestServed("postCompare", 200, 901.0))

    assert lines[1].endswith(line)


HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;title\x07 \u202e\u2066 \r\nGET /forged 200 \x00\x9b31m"


@pytest.mark.parametrize(
    "event",
    [
        VoteTaken("POSITIVE", "recorded", HOSTILE),
        DependencyFailed("store", "vote", "StoreError", HOSTILE),
        AwsCalled("SSM", HOSTILE, "eu-west-1", 1.0, 400, HOSTILE, (HOSTILE,)),
        ModelCalled(HOSTILE, "openai", "live", 1, 1.0, HOSTILE),
        SayingServed("live", 4, HOSTILE),
        RequestServed(HOSTILE, 404, 1.0, HOSTILE, HOSTILE, HOSTILE),
    ],
)
def test_hostile_text_does_nothing_to_the_terminal(event: Event) -> None:
    lines = shown(event) if isinstance(event, RequestServed) else shown(event, SERVED)

    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith("GET /forged")]
    assert any("[bold red]x[/]" in line for line in lines)


@pytest.mark.slow
async def test_it_is_on_stderr_whatever_the_sampler_says(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_telemetry({"OTEL_TRACES_SAMPLER": "always_off"}, show_traces=True) as telemetry:
        begin({})
        telemetry.listener.emit(SERVED)

    printed = capsys.readouterr()
    assert re.match(r"GET /sayings 200 in 1210\.50 ms   1-[0-9a-f]{8}-[0-9a-f]{24}\n", printed.err)
    assert printed.out == ""
