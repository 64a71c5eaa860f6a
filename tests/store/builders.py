"""Sayings and votes for tests, with as little to say as a test needs."""

from service.domain import CallKind, FeedbackType, Generation, Saying, Usage, Vote, model_source, saying_id

MODEL = "gpt-4.1"
POSITIVE, NEGATIVE = FeedbackType.POSITIVE, FeedbackType.NEGATIVE


def generation(
    *, created_at: float = 1_800_000_000.25, simulated: bool = False, cost: int | None = 1_234
) -> Generation:
    return Generation(
        generation_id=f"generation-{created_at}",
        model=MODEL,
        vendor="openai",
        kind=CallKind.ROUND,
        simulated=simulated,
        prompt_version="v1",
        latency_ms=1204.2,
        usage=Usage(input_tokens=210, output_tokens=64, cached_input_tokens=128),
        cost_nanos=cost,
        created_at=created_at,
    )


def collected(text: str) -> Saying:
    """A saying a person wrote."""
    return Saying(saying_id(text), text, ("Amazon S3", "AWS Lambda"), "From the collection")


def generated(text: str, *, created_at: float = 1_800_000_000.25, simulated: bool = False) -> Saying:
    """A saying a model wrote."""
    source = model_source("GPT-4.1", simulated=simulated)
    made = generation(created_at=created_at, simulated=simulated)
    return Saying(saying_id(text), text, ("Amazon S3",), source, made)


def vote(saying: Saying, voter: str = "ann", feedback: FeedbackType = POSITIVE) -> Vote:
    return Vote(saying.saying_id, voter, feedback, 1_800_000_500.5, claimed_execution_ms=12.5, claimed_cached=True)
