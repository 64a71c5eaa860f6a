"""What a day costs and which quota breaks first, from counted operations, list prices and assumptions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.counting import Counted
from service.config import Settings
from service.limits import DEFAULT_TIMEOUTS
from service.sayings.pool import SAYINGS_PER_MODEL
from service.store.dynamodb.tables import DRAW_SHELVES, TALLY_SHARDS
from workers.fleet import REST_SECONDS

SIZES = (1_000_000, 1_000_000_000)
SECONDS_A_DAY, DAYS_A_MONTH = 86_400, 30
MODELS = 4

# --- Prices: AWS's list prices for us-east-1 in US dollars, as of this month, without free tiers and discounts --------

PRICES_AS_OF = "2025-11"
PER_MILLION = {
    "lambda requests": 0.20,
    "dynamodb writes": 0.625,  # on demand
    "dynamodb reads": 0.125,
    "cloudfront requests": 1.00,  # HTTPS, North America
    "kms requests": 3.00,
    "ssm calls": 5.00,  # with the higher throughput switched on; free without
    "x-ray traces": 5.00,
}
LAMBDA_GB_SECOND = 0.0000133334  # arm64
LOGS_GB = 0.50
METRIC_A_MONTH = 0.30
FARGATE_VCPU_HOUR, FARGATE_GB_HOUR = 0.03238, 0.00356  # arm64
LOAD_BALANCER_HOUR, LCU_HOUR = 0.0225, 0.008
# In steps of a month's volume: so many at that price, then the next; the last price holds for the rest.
REST_API_STEPS = ((333e6, 3.50), (667e6, 2.80), (19e9, 2.38), (math.inf, 1.51))  # dollars per million
HTTP_API_STEPS = ((300e6, 1.00), (math.inf, 0.90))
CLOUDFRONT_GB_STEPS = ((10e3, 0.085), (40e3, 0.080), (100e3, 0.060), (350e3, 0.040), (524e3, 0.030), (math.inf, 0.025))

# --- Assumptions: nobody has measured these ---------------------------------------------------------------------------

VOTE_SHARE, OTHER_SHARE = 0.05, 0.01  # of all requests; the rest is GET /sayings
COMPARE_SHARE = 0.002  # comparisons, and again as many votes on them
FRESH_COMPARISONS = 2_000  # a day, which is about what the cap pays for; the others are replayed
VOTES = {"vote": 0.90, "vote changed": 0.05, "vote taken back": 0.05}
PEAK = 3.0  # times the day's average
LAMBDA_GB = 1.0  # as template.yaml has it
WARM_SECONDS, DATABASE_SECONDS, VOTE_SECONDS, LIVE_SECONDS, COLD_SECONDS = 0.005, 0.015, 0.030, 1.5, 1.5
COMPARE_SECONDS = 4.0  # until the slowest of four models has answered
SPARE = 2.0  # environments there are for each that is busy
LEAST_ENVIRONMENTS = 3
ENVIRONMENT_HOURS = 2.0  # how long Lambda keeps one
STORM_SECONDS = 10.0  # in which all environments of the peak may start: Lambda adds a thousand in that time
ANSWER_KB = 1.2  # with headers
PLATFORM_LOG_BYTES, VOTE_LOG_BYTES = 350, 450  # START, END and REPORT of an invocation; our own line of a vote
TRACED = 0.05  # as template.yaml samples
SEGMENTS = 3  # of a trace: gateway, Lambda, function
METRICS = 30  # as telemetry.metrics.DIMENSIONS has them, over API and worker
TRANSACTION_SECONDS = 0.015  # for which one holds its items
TASK_REQUESTS = 1000  # a second that one container takes, a fifth of what one core manages (make bench)
TASK_VCPU, TASK_GB = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Load:
    """A day of so many requests, as the assumptions have it."""

    requests: float

    @property
    def votes(self) -> float:
        return self.requests * VOTE_SHARE

    @property
    def comparisons(self) -> float:
        return self.requests * COMPARE_SHARE

    @property
    def fresh_comparisons(self) -> float:
        return min(self.comparisons, FRESH_COMPARISONS)

    @property
    def rate(self) -> float:
        return self.requests / SECONDS_A_DAY

    @property
    def peak_rate(self) -> float:
        return self.rate * PEAK

    @property
    def environments(self) -> float:
        """Lambda's, at the peak."""
        mean = VOTE_SHARE * VOTE_SECONDS + (1 - VOTE_SHARE) * WARM_SECONDS
        return max(LEAST_ENVIRONMENTS, math.ceil(self.peak_rate * mean * SPARE))

    @property
    def usual_environments(self) -> float:
        return max(LEAST_ENVIRONMENTS, self.environments / PEAK)

    @property
    def cold_starts(self) -> float:
        return self.usual_environments * 24 / ENVIRONMENT_HOURS

    @property
    def warm(self) -> float:
        others = self.votes + 2 * self.comparisons + self.requests * OTHER_SHARE
        return self.requests - others - 4 * self.cold_starts

    @property
    def tasks(self) -> float:
        """Containers, on average over the day; two at least."""
        return max(2, math.ceil(self.rate / TASK_REQUESTS))


# --- Costs ------------------------------------------------------------------------------------------------------------


def events_a_day(load: Load, processes: float) -> dict[str, float]:
    """How often a day each kind that was counted happens in that many processes."""
    return {
        "saying from the database": 3 * load.cold_starts,
        "live saying": load.cold_starts,
        "key fetched": load.cold_starts,
        **{kind: load.votes * share for kind, share in VOTES.items()},
        "comparison": load.fresh_comparisons,
        "comparison replayed, over the cap": load.comparisons - load.fresh_comparisons,
        "vote on a comparison": load.comparisons,
        # At its busiest a process does both whenever its timer allows it.
        "serves written": processes * SECONDS_A_DAY / DEFAULT_TIMEOUTS.serve_flush_every,
        "pool filled from the store": processes * SECONDS_A_DAY / DEFAULT_TIMEOUTS.pool_fill_every,
        "round": SECONDS_A_DAY / REST_SECONDS,
        "statistics": SECONDS_A_DAY / 120 * processes,
    }


def dynamodb_cost(counted: Counted, load: Load, processes: float) -> float:
    cost = 0.0
    for kind, times in events_a_day(load, processes).items():
        count = counted.counts[kind]
        cost += times * count.write_units * PER_MILLION["dynamodb writes"] / 1e6
        cost += times * count.read_units * PER_MILLION["dynamodb reads"] / 1e6
    return cost


def model_cost_uncapped(counted: Counted, load: Load) -> float:
    rounds = SECONDS_A_DAY / REST_SECONDS * MODELS * counted.models["round"].dollars
    lone = load.cold_starts + MODELS * load.comparisons
    return rounds + lone * counted.models["live"].dollars


def daily_costs(counted: Counted, load: Load) -> dict[str, float]:
    """Dollars a day on Lambda, as template.yaml deploys it."""
    lambda_seconds = (
        load.warm * WARM_SECONDS + load.votes * VOTE_SECONDS + load.requests * OTHER_SHARE * WARM_SECONDS
        + load.cold_starts * (3 * DATABASE_SECONDS + LIVE_SECONDS + COLD_SECONDS)
        + load.fresh_comparisons * COMPARE_SECONDS + load.comparisons * (DATABASE_SECONDS + VOTE_SECONDS)
    )  # fmt: skip
    logs_gb = (load.requests * PLATFORM_LOG_BYTES + load.votes * VOTE_LOG_BYTES) / 1e9
    return {
        "API Gateway (REST)": stepped(load.requests, REST_API_STEPS) / 1e6,
        "CloudFront, requests": load.requests * PER_MILLION["cloudfront requests"] / 1e6,
        "CloudFront, data": stepped(load.requests * ANSWER_KB / 1e6, CLOUDFRONT_GB_STEPS),
        "Lambda, requests": load.requests * PER_MILLION["lambda requests"] / 1e6,
        "Lambda, time": lambda_seconds * LAMBDA_GB * LAMBDA_GB_SECOND,
        "DynamoDB": dynamodb_cost(counted, load, load.usual_environments),
        "SSM and KMS": load.cold_starts * (PER_MILLION["ssm calls"] + PER_MILLION["kms requests"]) / 1e6,
        "Models, at the cap": min(Settings().daily_cap_usd, model_cost_uncapped(counted, load)),
        "X-Ray": load.requests * TRACED * PER_MILLION["x-ray traces"] / 1e6,
        "CloudWatch, logs": logs_gb * LOGS_GB,
        "CloudWatch, metrics": METRICS * METRIC_A_MONTH / DAYS_A_MONTH,
    }


def container_costs(counted: Counted, load: Load) -> dict[str, float]:
    """Dollars a day in containers, as ecs.yaml deploys them, in place of the lines for API Gateway and Lambda."""
    hourly_gb = load.rate * ANSWER_KB * 3600 / 1e6
    return {
        "Fargate": load.tasks * 24 * (TASK_VCPU * FARGATE_VCPU_HOUR + TASK_GB * FARGATE_GB_HOUR),
        "Load balancer": 24 * (LOAD_BALANCER_HOUR + LCU_HOUR * max(1.0, hourly_gb)),
        "DynamoDB": dynamodb_cost(counted, load, load.tasks),
    }


def cost_after(costs: dict[str, float], containers: dict[str, float]) -> float:
    billion = Load(SIZES[-1])
    changed = containers | {
        "X-Ray": costs["X-Ray"] / 50,
        "CloudWatch, logs": billion.votes * VOTE_LOG_BYTES / 1e9 * LOGS_GB,
    }
    gone = ("API Gateway", "Lambda", "CloudFront, requests")
    return sum(({line: cost for line, cost in costs.items() if not line.startswith(gone)} | changed).values())


def stepped(a_day: float, steps: Sequence[tuple[float, float]]) -> float:
    """A day's part of a month's cost at prices that fall with the volume."""
    left, cost = a_day * DAYS_A_MONTH, 0.0
    for size, price in steps:
        taken = min(left, size)
        cost += taken * price
        left -= taken
    return cost / DAYS_A_MONTH


# --- Quotas -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit, what a load needs of it at its peak, and what to do about it."""

    name: str
    limit: float
    needs: tuple[float, ...]
    remedy: str


def quotas(counted: Counted) -> list[Quota]:
    """Every limit in the way, the one that breaks first at the largest size first."""

    def of(name: str, limit: float, needs: Sequence[float], remedy: str) -> Quota:
        return Quota(name, limit, tuple(needs), remedy)

    loads = [Load(size) for size in SIZES]
    peaks = [load.peak_rate for load in loads]
    votes = [peak * VOTE_SHARE for peak in peaks]
    vote, draw, flush = (
        counted.counts[kind] for kind in ("vote", "saying from the database", "serves written")
    )  # fmt: skip
    flushes = [load.environments / DEFAULT_TIMEOUTS.serve_flush_every for load in loads]
    # Of a vote's units these are the tally's (its model's, service's and hour's lines); those of a flush all are.
    tally_units = [(6 * v + flush.write_units * f) / TALLY_SHARDS for v, f in zip(votes, flushes, strict=True)]
    # Four models and the collection in every shard; the limit is a tenth of the transactions meeting another.
    tally_items = TALLY_SHARDS * (MODELS + 1)
    warm_sayings = SAYINGS_PER_MODEL * MODELS
    table_units = [vote.write_units * v + flush.write_units * f for v, f in zip(votes, flushes, strict=True)]
    found = [
        of("requests/s, the stage's own throttle", 500, peaks, "RequestsPerSecond in template.yaml: it is ours"),
        of("requests/s, API Gateway in an account and region", 10_000, peaks, "raise, or containers (below)"),
        of("environments, Lambda in an account", 1_000, [load.environments for load in loads], "raise to 5,000"),
        of(
            "GetParameter/s, SSM, all environments cold at once", 40,
            [load.environments / STORM_SECONDS for load in loads], "switch on higher throughput (10,000/s)",
        ),
        of("write units/s of one tally shard, DynamoDB", 1_000, tally_units, "TALLY_SHARDS"),
        of(
            "votes/s before 10 % of them meet another at their tally", conflict_free_votes(tally_items), votes,
            f"TALLY_SHARDS: {TALLY_SHARDS} → {shards_for(max(votes))}; readers sum them once in two minutes",
        ),
        of(
            "votes/s before 10 % of them meet another at their saying", conflict_free_votes(warm_sayings), votes,
            "SAYINGS_PER_MODEL: more sayings in the pools",
        ),
        of(
            "read units/s of one quarter of by_draw, all pools empty", 3_000,
            [peak * draw.read_units / DRAW_SHELVES for peak in peaks], "DRAW_SHELVES; else builtin answers",
        ),
        of("write units/s of all tables, DynamoDB, each 40,000", 40_000, table_units, "raise; warm up before a launch"),
        of("segments/s, X-Ray", 2_600, [peak * TRACED * SEGMENTS for peak in peaks], "sample 0.1 % instead of 5 %"),
        of("requests/s, CloudFront distribution", 250_000, peaks, "nothing"),
    ]  # fmt: skip
    return sorted(found, key=lambda quota: -quota.needs[-1] / quota.limit)


def conflict_free_votes(items: int, share: float = 0.1) -> float:
    """Votes a second at which that share of them finds another transaction at its tally's item (Poisson)."""
    return -math.log(1 - share) * items / TRANSACTION_SECONDS


def shards_for(votes: float) -> int:
    """The power of two that keeps conflicts under a tenth."""
    needed = votes / conflict_free_votes(MODELS + 1)
    return 1 << math.ceil(math.log2(max(1.0, needed)))
