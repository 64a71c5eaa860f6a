"""Presenters: the results of use cases as the bodies of the HTTP contract."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

import msgspec

from service.api.schemas import (
    BestAnswer,
    CompareAnswer,
    CompareVoteAnswer,
    ComparisonDone,
    ComparisonProgress,
    ComparisonSlots,
    ComparisonStarted,
    ComparisonView,
    FeedbackAnswer,
    ForgottenAnswer,
    Metrics,
    PriceEntry,
    RevealedSlot,
    SayingAnswer,
    SlotAnswer,
    StoredSayingAnswer,
    TokensUsed,
    Winner,
)
from service.catalogue.models import NANOS_PER_DOLLAR, Price
from service.domain import (
    BallotResult,
    Comparison,
    Entry,
    FeedbackType,
    Generation,
    Origin,
    Saying,
    VoteResult,
    feedback_id,
)
from service.sayings.browsing import Page
from service.sayings.flow import Served
from service.store.base import StoredSaying
from service.voting.comparison_votes import VoterView
from service.voting.comparisons import Closed, Opened, Progress, Slots, Step
from service.voting.forgetting import Promise
from service.voting.showing import Shown


def saying_answer(shown: Shown, elapsed_ms: float, trace: str) -> SayingAnswer:
    served, saying = shown.served, shown.served.saying
    author = None if shown.is_blind else saying.generation
    return SayingAnswer(  # some by their place, because a call with as many names takes Python three times as long
        saying.saying_id,
        saying.text,
        None if shown.is_blind else saying.source,
        served.origin,
        model=author.model if author else None,
        vendor=author.vendor if author else None,
        services=saying.services,
        request_number=served.request_number,
        is_cached=served.origin is Origin.CACHE,
        execution_time=elapsed_ms,
        original_llm_time=author.latency_ms if author else None,
        degraded=served.degraded,
        metrics=Metrics(elapsed_ms) if shown.is_blind else _metrics(served, elapsed_ms),
        blind=shown.is_blind,
        vote_token=shown.token,
        vote=shown.opinion,
        trace_id=trace,
    )


def _metrics(served: Served, elapsed_ms: float) -> Metrics:
    called = served.generation
    if called is None:
        return Metrics(elapsed_ms, served.api_latency_ms)
    return Metrics(elapsed_ms, served.api_latency_ms, _tokens(called), _dollars(called))


def stored_saying_answer(stored: StoredSaying) -> StoredSayingAnswer:
    saying, made = stored.saying, stored.saying.generation
    return StoredSayingAnswer(
        saying_id=saying.saying_id,
        saying=saying.text,
        source=saying.source,
        model=saying.model,
        vendor=saying.vendor,
        services=saying.services,
        original_llm_time=saying.llm_time_ms,
        created_at=None if made is None else _iso(made.created_at),
        upvotes=stored.upvotes,
        downvotes=stored.downvotes,
    )


def best_answer(page: Page) -> BestAnswer:
    listing, sayings = page.listing, [stored_saying_answer(stored) for stored in page.sayings]
    return BestAnswer(listing.order, listing.service, listing.model, sayings, page.next)


def feedback_answer(voter: str, saying: Saying, feedback_type: FeedbackType, result: VoteResult) -> FeedbackAnswer:
    return FeedbackAnswer(
        feedback_id=feedback_id(voter, saying.saying_id),
        saying_id=saying.saying_id,
        feedback_type=feedback_type,
        upvotes=result.upvotes,
        downvotes=result.downvotes,
        status=result.status,
        standing=result.standing,
        source=saying.source,
        model=saying.model,
        vendor=saying.vendor,
        original_llm_time=saying.llm_time_ms,
    )


def withdrawn_feedback_answer(voter: str, identity: str, result: VoteResult) -> FeedbackAnswer:
    """The answer to a vote that was taken back. It does not tell the author, because there may have been no vote."""
    return FeedbackAnswer(
        feedback_id(voter, identity), identity, None, result.upvotes, result.downvotes, result.status, result.standing
    )


def price_entry(price: Price) -> PriceEntry:
    return PriceEntry(
        price.input,
        price.cached_input,
        price.cache_write,
        price.output,
        price.since.isoformat(),
        price.as_of.isoformat(),
    )


def event_of(step: Step) -> tuple[str, msgspec.Struct]:
    """A step of a comparison as an event of the stream: its name and its data."""
    match step:
        case Opened():
            replayed = step.reason is not None
            return "comparison", ComparisonStarted(step.comparison_id, step.service, replayed, step.reason)
        case Progress():
            return "progress", ComparisonProgress(step.landed, step.of)
        case Slots():
            return "slots", ComparisonSlots(_blind(step.entries))
        case Closed():
            return "done", ComparisonDone(step.comparison_id, step.votable)


def forgotten_answer(promise: Promise) -> ForgottenAnswer:
    return ForgottenAnswer("forgotten" if promise.is_kept else "accepted", _iso(promise.before))


def compare_answer(opened: Opened, shown: Slots, closed: Closed) -> CompareAnswer:
    return CompareAnswer(
        comparison_id=opened.comparison_id,
        service=opened.service,
        replayed=opened.reason is not None,
        reason=opened.reason,
        votable=closed.votable,
        slots=_blind(shown.entries),
    )


def compare_vote_answer(comparison: Comparison, result: BallotResult) -> CompareVoteAnswer:
    winner = cast("Winner", result.ballot.winner)
    return CompareVoteAnswer(comparison.comparison_id, winner, result.status, _revealed(comparison.entries))


def comparison_view(view: VoterView) -> ComparisonView:
    comparison, winner = view.comparison, cast("Winner | None", view.winner)
    return ComparisonView(
        comparison_id=comparison.comparison_id,
        service=comparison.service,
        votable=view.votable,
        slots=_blind(comparison.entries),
        vote=winner,
        revealed=None if winner is None else _revealed(comparison.entries),
    )


def _blind(entries: Iterable[Entry]) -> list[SlotAnswer]:
    """All that a client may know about the slots before the vote."""
    return [SlotAnswer(entry.slot, entry.saying, entry.blind_error) for entry in entries]


def _revealed(entries: Iterable[Entry]) -> list[RevealedSlot]:
    return [_revealed_slot(entry) for entry in entries]


def _revealed_slot(entry: Entry) -> RevealedSlot:
    return RevealedSlot(
        slot=entry.slot,
        model=entry.model,
        source=entry.source,
        saying=entry.saying,
        api_latency=entry.latency_ms,
        tokens_used=_tokens(entry.generation),
        cost=_dollars(entry.generation),
        error=entry.error,
    )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _tokens(generation: Generation | None) -> TokensUsed | None:
    return None if generation is None else TokensUsed(generation.usage.input_tokens, generation.usage.output_tokens)


def _dollars(generation: Generation | None) -> float | None:
    if generation is None or generation.cost_nanos is None:
        return None
    return generation.cost_nanos / NANOS_PER_DOLLAR
