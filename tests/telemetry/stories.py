"""Sequences of events as the core emits them, for tests of the telemetry made from them."""

from telemetry.events import (
    BallotTaken,
    DependencyFailed,
    Event,
    ModelCalled,
    ModelLifeMeasured,
    ModelMeasured,
    ModelReport,
    PoolMeasured,
    RequestServed,
    RoundFailed,
    RoundFinished,
    SayingServed,
    SayingsRejected,
    SpendMeasured,
    VoteTaken,
)

GENERATION = "5759e988bd862e3fe1be46a994272793" + "53995c3f42cd8ad8"

ANSWERED = ModelCalled(
    model="gpt-4.1", vendor="openai", kind="live", attempt=1, api_time_ms=1204.2, status=200, input_tokens=200,
    output_tokens=50, cost_nanos=800_000, generation_id=GENERATION, response_id="resp_1",
)  # fmt: skip
LIMITED = ModelCalled(
    model="claude-haiku-4-5", vendor="anthropic", kind="live", attempt=1, api_time_ms=80.0,
    error_type="ModelRateLimited", error_message="The model asks for fewer calls.", status=429,
)  # fmt: skip
SERVED = RequestServed("getSaying", 200, 3.5, "", "GET", "/sayings", "cache")
DENIED = DependencyFailed("key store", "fetch", "KeyAccessDenied", "The process may not read the key.")

EVERYTHING: tuple[Event, ...] = (
    ANSWERED,
    LIMITED,
    DENIED,
    SayingServed("builtin", 4, "live_rate_limited"),
    SERVED,
    RequestServed("postFeedback", 503, 12.0, "store_unavailable", "POST", "/feedback"),
    VoteTaken("POSITIVE", "recorded", "gpt-4.1", GENERATION),
    BallotTaken("winner", "recorded"),
    PoolMeasured("gpt-4.1", 12),
    ModelMeasured("gpt-4.1", failing=False),
    RoundFailed("StoreError", "The database did not answer in time."),
    SayingsRejected("gpt-4.1", ("link",)),
    SpendMeasured(0.25),
    ModelLifeMeasured("gpt-4.1", 47),
    RoundFinished((ModelReport("gpt-4.1", 3, 1500.0), ModelReport("gpt-4.1-mini", 0, 80.0, "ModelTimeout")), 1500.0, 7),
)
