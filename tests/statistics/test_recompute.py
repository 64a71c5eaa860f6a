"""The whole of GET /stats can be computed again from the exports, by a script with other people's libraries alone."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.cli.commands import carry_out, parse
from service.cli.rows import Export
from service.config import Settings
from service.domain import SLOTS, Attribution, Ballot, Call, CallKind, FeedbackType, NetworkDay, Saying, Vote, day_of
from service.limits import DAY_SECONDS
from service.statistics.report import first_hour, report
from service.store.base import Store
from service.store.latency_buckets import RELATIVE_ERROR
from service.store.sqlite import SqliteStore
from tests.fakes import the_line_up
from tests.store.builders import MODELS, collected, comparison
from tests.support import NAMES, model_saying

SCRIPT = Path(__file__).with_name("recompute.py")
NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC).timestamp()
# More than the thirty days that the verdicts rest on, and less than what is folded together.
DAYS = 40
LIKED = dict(zip(MODELS, (0.95, 0.3, 0.55, 0.35), strict=True))
# What no row tells, and what is said of days to come.
NOT_RECOMPUTED = {
    "generatedAt", "stale", "confidence", "relativeError", "recentDays", "analysis", "headline.fallen",
    "models.source", "models.vendor", "models.leftOn", "models.successor", "models.votesNeeded", "models.marks",
    "models.serves", "totals.serves", "hours.serves", "collection.serves",
}  # fmt: skip


def some_time(chance: random.Random) -> float:
    return NOW - chance.random() * DAYS * DAY_SECONDS


async def play(store: Store, chance: random.Random) -> None:
    """Six weeks of everything: votes of all standings, changed and withdrawn, ballots with failed slots, calls."""
    services = ("Amazon S3", "AWS Lambda", "Amazon SQS")
    sayings = [
        model_saying(f"{name} writes {n}", model=name, services=tuple(chance.sample(services, 2)))
        for name in NAMES
        for n in range(35)
    ]
    sayings += [collected(f"by hand, {n}") for n in range(25)]
    await store.put_sayings(sayings)
    voters = [f"voter {n}" for n in range(60)]
    pairs = [(saying, voter) for saying in sayings for voter in voters]
    for saying, voter in chance.sample(pairs, 1_800):
        await vote(store, saying, voter, some_time(chance), chance)
    for saying in sayings[:60]:
        await vote(store, saying, f"visitor {saying.text}", NOW - 3_600, chance, address="the farm")
    for n in range(90):
        await compare(store, f"comparison {n}", chance.sample(voters, 3), chance)
    for n in range(200):
        await store.record_call(call(n, chance))


async def vote(
    store: Store, saying: Saying, voter: str, at: float, chance: random.Random, *, address: str = ""
) -> None:
    liked = chance.random() < LIKED.get(saying.model or "", 0.5) + (0.1 if voter < "voter 3" else 0.0)
    opinions = [FeedbackType.NEGATIVE, FeedbackType.POSITIVE]
    attribution = chance.choices([*Attribution, None], [50, 42, 4, 4])[0]
    networks = (NetworkDay(f"{day_of(at)}/{address or voter}"),)
    cast = Vote(saying.saying_id, voter, opinions[liked], at, attribution, networks, models=4)
    await store.vote(cast)
    if chance.random() < 0.02:
        await store.vote(replace(cast, feedback_type=opinions[not liked], cast_at=at + 60))
    elif chance.random() < 0.02:
        await store.withdraw_vote(saying.saying_id, voter)


async def compare(store: Store, name: str, voters: list[str], chance: random.Random) -> None:
    at = some_time(chance)
    made = comparison(name, created_at=at, failed=chance.choice(["", "", "A", "D", "BC"]))
    best = [LIKED[entry.model] ** 2 if entry.saying else 0.0 for entry in made.entries]
    for number, voter in enumerate(voters):
        ballot = Ballot(made.comparison_id, voter, at)
        await (store.show_comparison(ballot) if number else store.put_comparison(made, ballot))
        winner = chance.choices([*SLOTS, "tie", "none"], [*best, 0.15, 0.1])[0]
        await store.cast_ballot(
            made.comparison_id, voter, winner, at=at, networks=[NetworkDay(f"{day_of(at)}/{voter}")]
        )


def call(number: int, chance: random.Random) -> Call:
    """A call that failed in one of ten cases, and was refused something in one of five."""
    written = model_saying(f"call {number}", model=chance.choice(MODELS), created_at=some_time(chance)).generation
    assert written is not None
    kind = chance.choice([*CallKind])
    asked, cost = (3 if kind is CallKind.ROUND else 1), chance.randint(10**5, 10**6)
    written = replace(written, kind=kind, latency_ms=chance.lognormvariate(7, 0.5), cost_nanos=cost)
    if chance.random() < 0.1:
        return Call(written, asked, 0, error_type=chance.choice(["ModelTimeout", "ModelOverloaded"]))
    rejected = {"link": 1} if chance.random() < 0.2 else {}
    return Call(written, asked, asked - len(rejected), rejected=rejected)


def compared(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Check that theirs are our figures; the paths of those that only we have."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert theirs.keys() <= ours.keys(), path
        if "low" in theirs:
            theirs = theirs | {end: near(theirs[end], theirs) for end in ("low", "high")}
        for key, value in ours.items():
            inner = f"{path}.{key}".removeprefix(".")
            yield from compared(value, theirs[key], inner) if key in theirs else [inner]
    elif isinstance(ours, list):
        by_model = sorted(ours, key=lambda each: str(each.get("model")))
        assert len(by_model) == len(theirs), path
        for one, other in zip(by_model, theirs, strict=True):
            yield from compared(one, other, path)
    else:
        assert ours == approximately(theirs, path.rpartition(".")[2]), path


def approximately(figure: Any, name: str) -> Any:
    """The figure, up to what its approximation may be wrong by, if it is a measure that has one."""
    if not isinstance(figure, float):
        return figure
    if name in ("p50", "p90", "p99"):
        return pytest.approx(figure, rel=RELATIVE_ERROR)
    return pytest.approx(figure, rel=1e-6)


def near(end: float | None, interval: dict[str, float | None]) -> Any:
    """An end of an interval. On our side it is up to 2 % longer, because Student's quantile is approximated."""
    ends = [each for each in (interval["low"], interval["high"]) if each is not None]
    return end if end is None else pytest.approx(end, abs=0.02 * (max(ends) - min(ends) if len(ends) == 2 else end))


@pytest.mark.slow
async def test_the_statistics_can_be_computed_again_from_the_exports(store: SqliteStore, tmp_path: Path) -> None:
    await play(store, random.Random(16))
    settings = Settings(store=f"sqlite:///{tmp_path}/sayings.db")
    for kind in Export:
        exported = ["export", kind, "--format", "jsonl", "--output", f"{tmp_path}/{kind}.jsonl"]
        assert await carry_out(parse(exported), settings) == 0
    answer = report(await store.aggregates(since_hour=first_hour(NOW)), the_line_up(), simulated=False, now=NOW)

    theirs = recomputed(tmp_path, answer.generated_at)

    ours = msgspec.to_builtins(answer)
    assert set(compared(ours, theirs)) == NOT_RECOMPUTED
    assert ours["headline"]["leader"] == "gpt-4.1"
    assert all(model["recent"][what]["value"] for model in ours["models"] for what in ("approval", "picked"))
    assert min(ours["totals"]["setAside"], ours["totals"]["unverified"], ours["comparisons"]["recent"]["ballots"]) > 0


def recomputed(folder: Path, at: str) -> Any:
    """What the script prints. In Python's isolated mode it cannot import the service."""
    command = [sys.executable, "-I", str(SCRIPT), "--folder", str(folder), "--line-up", ",".join(NAMES), "--at", at]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
