"""The situations that alarms are for: what goes wrong, and for how long it is watched."""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import pytest

from service.api import dispatcher
from service.api.http import elapsed_ms
from service.catalogue import line_up
from service.domain import WithdrawnBy, saying_id
from service.errors import KeyAccessDenied, StoreError
from service.keys.key_store import KeyStore
from service.keys.secret import Secret
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.billing import spend_window
from service.simulator import Fault, FaultKind, Simulator
from service.store.base import Store
from tests.observability.fleet import Fleet
from tests.observability.recording import series

FAILING = "gpt-4.1"
# In situations that are about waiting everything takes a twentieth of its time, and is measured as if it did not.
TIMES_FASTER = 20


@dataclass
class Stage:
    """What a situation works with."""

    fleet: Fleet
    simulator: Simulator
    patch: pytest.MonkeyPatch

    def break_(self, store: Store, operation: str, error: Exception, *, seconds: float = 0.0) -> None:
        """Let every such call to a store fail, or with `seconds` only wait before it is made."""
        real = getattr(store, operation)

        async def broken(*arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(seconds)
            if seconds:
                return await real(*arguments, **named)
            raise error

        self.patch.setattr(store, operation, broken)

    def fault(self, kind: FaultKind, model: str = FAILING) -> None:
        self.simulator.inject(model, Fault(kind, count=None))

    def run_faster(self) -> None:
        self.patch.setattr(dispatcher, "elapsed_ms", lambda request: TIMES_FASTER * elapsed_ms(request))


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Situation:
    """`play` sets it up, and minutes follow. `lines` is whether the service says something of it in its log."""

    alarm: str
    what: str
    play: Play
    minutes: int = 20
    settings: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    day: datetime.date | None = None
    round_minutes: int = 15
    platforms: tuple[str, ...] = ("Lambda", "ECS")
    lines: bool = True

    def __str__(self) -> str:
        return f"{self.alarm}: {self.what}"

    def prepare(self, patch: pytest.MonkeyPatch) -> None:
        if self.day:
            patch.setattr(line_up, "today", lambda: self.day)


class DeniedKeys:
    async def fetch(self, name: str) -> Secret:
        raise KeyAccessDenied("The process may not read the key.")


async def votes_fail(stage: Stage) -> None:
    stage.fleet.votes_a_minute = 2
    stage.break_(stage.fleet.api.store, "vote", StoreError("It is broken."))


async def a_defect(stage: Stage) -> None:
    stage.break_(stage.fleet.api.store, "vote", ZeroDivisionError())


async def the_table_is_slow(stage: Stage) -> None:
    """No pool is warm, so that every saying is read from the table."""
    stage.run_faster()
    stage.fleet.rounds = False
    stage.fault(FaultKind.SERVER_ERROR, "*")
    stage.break_(stage.fleet.api.store, "random_saying", StoreError(""), seconds=0.9 / TIMES_FASTER)


async def a_model_hangs_in_comparisons(stage: Stage) -> None:
    await stage.fleet.minutes(1)  # so that what is slow only once is done
    stage.run_faster()
    stage.fleet.rounds = False
    stage.fleet.comparisons_a_minute = 1 / 5
    stage.fault(FaultKind.HANG)


async def the_table_and_the_models_are_down(stage: Stage) -> None:
    stage.fleet.rounds = False
    stage.fault(FaultKind.SERVER_ERROR, "*")
    stage.break_(stage.fleet.api.store, "random_saying", StoreError("It is broken."))


async def visitors_set_a_saying_aside(stage: Stage) -> None:
    takedowns = stage.fleet.api.takedowns

    async def withdraw() -> None:
        await takedowns.withdraw(saying_id("slander"), reason="slander", by=WithdrawnBy.VISITORS)

    await stage.fleet.platform.in_api(withdraw)


def a_model_answers(kind: FaultKind, model: str = FAILING) -> Play:
    async def play(stage: Stage) -> None:
        stage.fault(kind, model)

    return play


async def the_vendors_have_retired_models(stage: Stage) -> None:
    stage.patch.setattr(stage.simulator._profiles, "_day", lambda: datetime.date(2027, 2, 1))


async def keys_are_denied(stage: Stage) -> None:
    async def ask() -> None:
        keys = KeyStore(DeniedKeys(), stage.fleet.api.listener)
        with pytest.raises(KeyAccessDenied):
            await keys.get("/api-key/openai")
        await keys.close()

    await stage.fleet.platform.in_api(ask)


async def days_pass(_: Stage) -> None:
    """Nothing else happens: the day of the situation is what is wrong."""


async def most_is_spent(stage: Stage) -> None:
    fleet = stage.fleet
    cap = round(fleet.api.settings.daily_cap_usd * 1e9)

    async def spend() -> None:
        await fleet.api.store.adjust_spend(spend_window(fleet.clock()), round(0.85 * cap))

    await fleet.platform.in_api(spend)


async def there_is_no_worker(stage: Stage) -> None:
    stage.fleet.rounds = False


async def the_lease_cannot_be_read(stage: Stage) -> None:
    stage.break_(stage.fleet.worker.store, "acquire_lease", StoreError("The database did not answer in time."))


async def lambda_gives_a_round_up(stage: Stage) -> None:
    """Fed by hand: the queue is Lambda's."""
    fleet = stage.fleet
    queue = series("AWS/SQS", "NumberOfMessagesSent", [("QueueName", "FailedRounds.QueueName")])
    fleet.recording.add(queue, fleet.clock(), [1])


async def votes_cannot_be_stored(stage: Stage) -> None:
    def broken(_: object) -> None:
        raise StoreError("It is broken.")

    stage.patch.setattr(stage.fleet.api.store, "_check", broken)


async def nobody_probes(stage: Stage) -> None:
    stage.fleet.probes = False


async def api_gateway_throttles(stage: Stage) -> None:
    """Fed by hand: the requests that it turns away reach no function."""
    fleet = stage.fleet
    requests = series("AWS/ApiGateway", "Count", [("ApiName", "sayings"), ("Stage", "live")])
    for _ in range(20):
        fleet.recording.add(requests, fleet.clock(), [1] * 30)
        await fleet.minutes(1)


async def one_address_floods(stage: Stage) -> None:
    stage.fleet.votes_a_minute = 30


async def cloudfront_fails(stage: Stage) -> None:
    """Fed by hand: the metric is CloudFront's, and the function knows nothing of it."""
    fleet = stage.fleet
    rate = series("AWS/CloudFront", "5xxErrorRate", [("DistributionId", "E1"), ("Region", "Global")])
    for minute in range(20):
        fleet.recording.add(rate, fleet.clock() + 60 * minute, [40])


async def the_table_throttles(stage: Stage) -> None:
    """Fed by hand: the metric is DynamoDB's."""
    fleet = stage.fleet
    table = series("AWS/DynamoDB", "WriteThrottleEvents", [("TableName", "sayings-saying_feedback")])
    for minute in range(20):
        fleet.recording.add(table, fleet.clock() + 60 * minute, [12])


async def metrics_do_not_arrive(stage: Stage) -> None:
    stage.fleet.telemetry_arrives = False


async def a_bit_of_everything(stage: Stage) -> None:
    """Nothing that lasts, but enough of each for the dashboard."""
    fleet = stage.fleet
    fleet.votes_a_minute = 1
    stage.simulator.inject(FAILING, Fault(FaultKind.SERVER_ERROR, count=2))
    stage.simulator.inject("*", Fault(FaultKind.TEXT_REFUSAL))
    with stage.patch.context() as patch:
        Stage(fleet, stage.simulator, patch).break_(fleet.api.store, "random_saying", StoreError("It is broken."))
        await fleet.minutes(1)
    fleet.comparisons_a_minute = 1 / 3


EVERYTHING = Situation(
    "", "a bit of everything", a_bit_of_everything, settings={"SAYINGS_CATALOGUE": ""}, day=datetime.date(2026, 12, 25)
)


def a_model_fails_in_rounds(round_minutes: int) -> Situation:
    """For seven periods of the alarms on rounds, without clients."""

    async def play(stage: Stage) -> None:
        stage.fleet.visits = False
        stage.fault(FaultKind.SERVER_ERROR)

    minutes = 7 * max(round_minutes, 15) + 1
    return Situation("ModelFailing", "a model answers 500", play, minutes, round_minutes=round_minutes)


class WithoutData(Enum):
    """What an alarm does when no data arrive any more."""

    ENDS = auto()  # nothing was counted of what it is about
    RINGS = auto()  # that nothing arrives is what it is about
    STAYS = auto()  # as it was, because its data come seldom


WITHOUT_DATA = {
    "NoFreshSayings": WithoutData.RINGS,
    "Unreachable": WithoutData.RINGS,
    "ModelLeaving": WithoutData.STAYS,  # measured once a day
    "SpendNearCap": WithoutData.STAYS,  # at the cap nothing is reserved
}


# Longer than the window of any alarm on rounds.
NORMAL = Situation("", "normal traffic", days_pass, minutes=120)
SITUATIONS = [
    Situation("ServerErrors", "votes cannot be stored", votes_fail),
    Situation("Unreachable", "votes cannot be stored", votes_cannot_be_stored, platforms=("Lambda",)),
    Situation("Unreachable", "nobody probes", nobody_probes, platforms=("Lambda",), lines=False),
    Situation(
        "TurnedAway", "API Gateway throttles (by hand)", api_gateway_throttles, minutes=1, platforms=("Lambda",),
        lines=False,
    ),
    Situation(
        "ClientsLimited", "one address floods", one_address_floods, settings={"SAYINGS_VOTE_RATE": "1/hour"},
        lines=False,
    ),
    Situation(
        "EdgeErrors", "CloudFront fails (by hand)", cloudfront_fails, platforms=("Lambda",), lines=False
    ),
    Situation("SlowReads", "the table answers after 0.9 s", the_table_is_slow),
    Situation(
        "SlowComparisons", "a model hangs", a_model_hangs_in_comparisons,
        timeouts=Timeouts(comparison=DEFAULT_TIMEOUTS.comparison / TIMES_FASTER),
    ),
    Situation("ServedBuiltin", "the table is down and no pool is warm", the_table_and_the_models_are_down),
    Situation("Defects", "a vote raises ZeroDivisionError", a_defect),
    Situation("SayingSetAside", "five networks report a saying", visitors_set_a_saying_aside),
    Situation("KeyRejected", "a vendor answers 401", a_model_answers(FaultKind.UNAUTHORIZED)),
    Situation("SpendLimitReached", "a vendor's limit is reached", a_model_answers(FaultKind.SPEND_LIMIT)),
    Situation("KeysDenied", "a role may not read the keys", keys_are_denied),
    Situation("ModelGone", "a vendor no longer has the model", the_vendors_have_retired_models),
    Situation(
        "ModelLeaving", "a model retires in 20 days", days_pass, settings={"SAYINGS_CATALOGUE": ""},
        day=datetime.date(2026, 12, 25), lines=False,
    ),
    Situation("ModelConcern", "prices are a year old", days_pass, day=datetime.date(2027, 11, 28)),
    Situation(
        "ModelFailing", "a model answers 500, with little traffic", a_model_answers(FaultKind.SERVER_ERROR), minutes=61
    ),
    Situation("SpendNearCap", "85 % of the cap are spent", most_is_spent),
    Situation("NoFreshSayings", "there is no worker", there_is_no_worker, minutes=61, lines=False),
    Situation("NoFreshSayings", "all models fail", a_model_answers(FaultKind.OVERLOADED, "*"), minutes=61),
    Situation("WorkerErrors", "the lease cannot be read", the_lease_cannot_be_read, minutes=46),
    Situation(
        "RoundsLost", "Lambda gives a round up (by hand)", lambda_gives_a_round_up, platforms=("Lambda",), lines=False
    ),
    Situation("TablesThrottled", "DynamoDB throttles (by hand)", the_table_throttles, lines=False),
    Situation("TelemetryQuiet", "metrics do not arrive", metrics_do_not_arrive, lines=False),
]  # fmt: skip
