"""A store that never answers, and its users, each with the operation under which it reports that."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from service.api.readiness import Readiness
from service.domain import BallotResult, BallotStatus, CallKind, Comparison, FeedbackType, ReportReason
from service.errors import BudgetExhausted
from service.limits import Timeouts
from service.llm.billing import Budget, CallRecorder, Reservation
from service.llm.gone_models import GoneModels
from service.sayings.flow import DATABASE_REQUESTS, Flow
from service.sayings.pool import Pool
from service.sayings.pool_filler import PoolFiller
from service.sayings.ranking import Ranking
from service.sayings.round_trigger import RoundTrigger
from service.sayings.serve_counter import ServeCounter
from service.sayings.takedowns import Takedowns
from service.sayings.voter_memory import VoterMemory
from service.statistics.cached import Statistics
from service.store.base import ROUND_LEASE, Lease, Spend, SpendWindow, Store
from service.voting.comparison_votes import ComparisonVotes
from service.voting.comparisons import Comparisons
from service.voting.day_secrets import DaySecrets
from service.voting.forgetting import Forgetting
from service.voting.moderation import Moderation
from service.voting.networks import VoterNetworks
from service.voting.saying_votes import Opinion, SayingVotes
from service.voting.tokens import VoteTokens
from telemetry.events import Listener
from tests.fakes import FakeGateway, the_catalogue, the_line_up, the_models
from tests.store.builders import CAST_AT, call, comparison, shown
from tests.support import TOPICS, model_saying
from workers.fleet import FleetRounds
from workers.round import Round

HASTY = Timeouts(
    saying_read=0.01, vote=0.01, statistics=0.01, store_write=0.01, round_write=0.01, lease_update=0.01, pool_fill=0.01,
    serve_flush=0.01, comparison_begin=0.0, ranking=0.01, readiness=0.01,
)  # fmt: skip
CATALOGUE = the_catalogue()
MODELS = the_models()
SAYING = model_saying("Amazon S3 is a cellar that never asks what you keep in it.")
COMPARED = comparison()
COMPARISON_ID = COMPARED.comparison_id
WINDOW, CAPS = SpendWindow("2026-11-20", "2026-11-20T13"), Spend(day=1, hour=1)
LEASE = Lease(ROUND_LEASE, "somebody", token=1, expires_at=1.0)

Use = Callable[[Listener], Awaitable[object]]


class SilentStore:
    """Never answers, except that it knows the time, and gives the lease away if it has one."""

    def __init__(self, lease: Lease | None = None) -> None:
        self._lease = lease

    def __getattr__(self, _: str) -> Callable[..., Awaitable[None]]:
        return self._never

    async def time(self) -> float:
        return 0.0

    async def acquire_lease(self, *_: object, **__: object) -> Lease:
        if self._lease is None:
            await self._never()
        return cast("Lease", self._lease)

    async def _never(self, *_: object, **__: object) -> None:
        await asyncio.Event().wait()


SILENT = cast("Store", SilentStore())


async def _sayings(listener: Listener, count: int) -> None:
    flow = Flow(
        pool=Pool(ttl=1.0),
        store=SILENT,
        gateway=FakeGateway().as_gateway(),
        serves=ServeCounter(SILENT, listener),
        listener=listener,
        topics=TOPICS,
        models=MODELS,
        timeouts=HASTY,
    )
    for _ in range(count):
        await flow.next_saying()


async def _compare(listener: Listener, *, overdrawn: bool) -> None:
    gateway = FakeGateway()
    gateway.unreservable = BudgetExhausted("There is no room.") if overdrawn else None
    comparisons = Comparisons(
        gateway=gateway.as_gateway(),
        store=SILENT,
        listener=listener,
        topics=TOPICS,
        models=MODELS,
        simulated=False,
        timeouts=HASTY,
    )
    async for _ in comparisons.run("ann"):
        pass


def _saying_votes(listener: Listener) -> SayingVotes:
    secrets = DaySecrets(SILENT, listener, timeouts=HASTY)
    return SayingVotes(
        SILENT,
        CATALOGUE,
        listener,
        tokens=VoteTokens(secrets),
        networks=VoterNetworks(secrets),
        memory=VoterMemory(),
        models=lambda: len(MODELS),
        timeouts=HASTY,
    )


def _comparison_votes(listener: Listener, store: Store = SILENT) -> ComparisonVotes:
    networks = VoterNetworks(DaySecrets(store, listener, timeouts=HASTY))
    return ComparisonVotes(store, Pool(ttl=1.0), TOPICS, networks, listener, timeouts=HASTY, clock=lambda: CAST_AT)


class StoreOfBallots(SilentStore):
    """Takes the first ballot on a comparison; nothing else."""

    async def cast_ballot(self, *_: object, **__: object) -> tuple[Comparison, BallotResult]:
        return COMPARED, BallotResult(BallotStatus.RECORDED, shown(COMPARED), ballots=1)


async def _first_ballot(listener: Listener) -> None:
    votes = _comparison_votes(listener, cast("Store", StoreOfBallots()))
    await votes.vote("ann", COMPARED.comparison_id, "A")
    await votes.close()


async def _statistics(listener: Listener) -> None:
    options: dict[str, Any] = {"line_up": the_line_up(), "simulated": False}
    await Statistics(store=SILENT, listener=listener, timeouts=HASTY, **options).answer()


async def _rounds(listener: Listener, store: Store = SILENT) -> None:
    round_ = Round(FakeGateway().as_gateway(), store, Pool(ttl=1.0), TOPICS, MODELS, listener, timeouts=HASTY)
    await FleetRounds(round_, store, listener, timeouts=HASTY).run()


async def _count_serves(listener: Listener) -> None:
    serves = ServeCounter(SILENT, listener, timeouts=HASTY)
    serves.count("gpt-4.1")
    await serves.flush()


async def _ask_for_a_round(listener: Listener) -> None:
    async def invoke() -> None:
        raise AssertionError("without a lease nothing is invoked")

    await RoundTrigger(invoke, SILENT, listener, timeouts=HASTY).pull()


def _opinion() -> Opinion:
    return Opinion(SAYING.text, None, FeedbackType.POSITIVE, SAYING.source)


def _fill(listener: Listener) -> Awaitable[None]:
    return PoolFiller(Pool(ttl=1.0), SILENT, MODELS, listener, ttl=1.0, simulated=False, timeouts=HASTY).fill()


def _budget(listener: Listener) -> Budget:
    return Budget(SILENT, listener, caps=CAPS, timeouts=HASTY)


def _check(listener: Listener) -> Awaitable[object]:
    return Readiness(SILENT.ping, listener, are_rounds_overdue=lambda: False, timeouts=HASTY).state()


def _takedowns(listener: Listener) -> Takedowns:
    return Takedowns(SILENT, Pool(ttl=1.0), listener, timeouts=HASTY)


def _report(listener: Listener) -> Awaitable[object]:
    moderation = Moderation(SILENT, _takedowns(listener), listener, timeouts=HASTY)
    return moderation.report("ann", SAYING.saying_id, ReportReason.OTHER, "a network")


# What waits for the store, by the operation and, where several uses report the same one, by the use.
USES: dict[str, tuple[str, Use]] = {
    "flow, read": ("random saying", lambda listener: _sayings(listener, 1)),
    "flow, keep": ("put saying", lambda listener: _sayings(listener, DATABASE_REQUESTS + 1)),
    "comparison, store": ("put comparison", lambda listener: _compare(listener, overdrawn=False)),
    "comparison, replay": ("replay comparison", lambda listener: _compare(listener, overdrawn=True)),
    "vote": ("vote", lambda listener: _saying_votes(listener).vote("ann", _opinion())),
    "withdrawal": ("withdraw vote", lambda listener: _saying_votes(listener).withdraw("ann", SAYING.saying_id)),
    "vote on a comparison": (
        "vote on comparison",
        lambda listener: _comparison_votes(listener).vote("ann", COMPARISON_ID, "A"),
    ),
    "comparison, keep": ("put sayings", _first_ballot),
    "comparison, show": ("show comparison", lambda listener: _comparison_votes(listener).show("ann", COMPARISON_ID)),
    "billing, reserve": ("reserve spend", lambda listener: _budget(listener).reserve(1, CallKind.LIVE)),
    "billing, settle": ("settle spend", lambda listener: _budget(listener).settle(Reservation(WINDOW, 1), 1)),
    "billing, record": ("record call", lambda listener: CallRecorder(SILENT, listener, timeouts=HASTY).record(call())),
    "filler": ("fill pool", _fill),
    "serves": ("add serves", _count_serves),
    "statistics": ("aggregates", _statistics),
    "round, lease": ("acquire lease", _rounds),
    "round, write": ("put round", lambda listener: _rounds(listener, cast("Store", SilentStore(LEASE)))),
    "round, rest": ("keep lease", lambda listener: _rounds(listener, cast("Store", SilentStore(LEASE)))),
    "round trigger": ("acquire lease", _ask_for_a_round),
    "readiness": ("check", _check),
    "takedowns": ("withdrawals", lambda listener: _takedowns(listener).refresh()),
    "report": ("report", _report),
    "forgetting": (
        "forget",
        lambda listener: Forgetting(SILENT, VoterMemory(), listener, timeouts=HASTY).forget("ann"),
    ),
    "secrets": ("day secret", lambda listener: DaySecrets(SILENT, listener, timeouts=HASTY).refresh()),
    "line-up": ("gone models", lambda listener: GoneModels(the_line_up(), SILENT, listener, timeouts=HASTY).refresh()),
    "ranking": ("rank sayings", lambda listener: Ranking(SILENT, listener, simulated=False, timeouts=HASTY).run()),
}
