"""The endpoints, which map requests to use cases and results to responses, without a framework or I/O of their own."""

import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cached_property, lru_cache
from typing import cast

import msgspec

from service.api.http import (
    JSON_HEADERS,
    STREAM_HEADERS,
    Handler,
    Request,
    Response,
    Route,
    decode_body,
    decode_query,
    elapsed_ms,
    json_response,
    server_sent_event,
    wants_stream,
)
from service.api.openapi import openapi_document
from service.api.operators import OperatorKey
from service.api.presenters import (
    best_answer,
    compare_answer,
    compare_vote_answer,
    comparison_view,
    event_of,
    feedback_answer,
    forgotten_answer,
    price_entry,
    saying_answer,
    stored_saying_answer,
    withdrawn_feedback_answer,
)
from service.api.readiness import Readiness
from service.api.schemas import (
    SAYING_ID_PATTERN,
    BestAnswer,
    BestQuery,
    CompareAnswer,
    CompareRequest,
    CompareVoteAnswer,
    CompareVoteRequest,
    ComparisonDone,
    ComparisonProgress,
    ComparisonSlots,
    ComparisonStarted,
    ComparisonView,
    FeedbackAnswer,
    FeedbackRequest,
    ForgottenAnswer,
    LiveAnswer,
    ModelEntry,
    ModelsAnswer,
    ReadyAnswer,
    ReportAnswer,
    ReportRequest,
    SayingAnswer,
    SayingQuery,
    SeatEntry,
    StoredSayingAnswer,
    TakedownAnswer,
    WithdrawRequest,
)
from service.api.voter_cookie import VoterCookie
from service.catalogue.line_up import LineUp, Seat
from service.catalogue.models import Catalogue, Model
from service.catalogue.topics import Topics
from service.domain import BallotStatus, model_source
from service.errors import (
    BodyTooLarge,
    ComparisonExpired,
    ComparisonNotFound,
    ComparisonNotShown,
    ComparisonUnavailable,
    InvalidRequest,
    NoSayingAvailable,
    NotForgotten,
    NothingToCompare,
    NotStored,
    OperatorKeyUnavailable,
    Overloaded,
    RateLimited,
    RequestTimeout,
    SayingNotFound,
    SayingsUnavailable,
    SayingWithdrawn,
    SlotNotEligible,
    SourceMismatch,
    StatisticsUnavailable,
    StorageFull,
    Unauthorized,
    UnsupportedMediaType,
    VoteNotStored,
)
from service.limits import DEFAULT_TIMEOUTS, RateClass, Timeouts
from service.resilience.networks import networks
from service.sayings.browsing import Browsing
from service.sayings.flow import Flow
from service.statistics.cached import Statistics
from service.statistics.schemas import StatsAnswer
from service.voting.comparison_votes import ComparisonVotes
from service.voting.comparisons import Closed, Comparisons, Opened, Slots, Step
from service.voting.forgetting import Forgetting
from service.voting.moderation import Moderation
from service.voting.saying_votes import Opinion, SayingVotes
from service.voting.showing import Showing
from telemetry.traces import xray_form

_ID = re.compile(SAYING_ID_PATTERN)
_NOTHING_ASKED = SayingQuery()


class Endpoints:
    """The service as functions from requests to responses.

    Without an `operator_key` there are no routes for operators.
    """

    def __init__(
        self,
        *,
        flow: Flow,
        browsing: Browsing,
        showing: Showing,
        saying_votes: SayingVotes,
        moderation: Moderation,
        operator_key: OperatorKey | None,
        comparisons: Comparisons,
        comparison_votes: ComparisonVotes,
        forgetting: Forgetting,
        statistics: Statistics,
        catalogue: Catalogue,
        topics: Topics,
        line_up: LineUp,
        simulated: bool,
        readiness: Readiness,
        cookie: VoterCookie,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._flow = flow
        self._browsing = browsing
        self._showing = showing
        self._saying_votes = saying_votes
        self._moderation = moderation
        self._comparisons = comparisons
        self._comparison_votes = comparison_votes
        self._forgetting = forgetting
        self._statistics = statistics
        self._catalogue = catalogue
        self._topics = topics
        self._line_up = line_up
        self._simulated = simulated
        self._readiness = readiness
        self._cookie = cookie
        self.draining = False
        self.routes = self._routes()
        if operator_key is not None:
            self.routes += self._operator_routes(operator_key)

    @cached_property
    def _openapi(self) -> bytes:
        """The encoded OpenAPI document, made on first use because a cold start does not need it."""
        return msgspec.json.encode(openapi_document(self.routes, self._topics, [model.id for model in self._catalogue]))

    def drain(self) -> None:
        """Report not ready, so that a load balancer sends no new requests, and cut short what clients wait for."""
        self.draining = True
        self._flow.drain()
        self._comparisons.drain()

    def _routes(self) -> tuple[Route, ...]:
        bad_body = (InvalidRequest, RequestTimeout, BodyTooLarge, UnsupportedMediaType)
        votes = (InvalidRequest, SayingNotFound, VoteNotStored, StorageFull)
        limited = (RateLimited, Overloaded)
        return (
            Route(
                "GET", "/sayings", "getSaying", "The next saying", self.get_saying, SayingAnswer,
                query=SayingQuery, errors=(InvalidRequest, NoSayingAvailable, *limited), limit=RateClass.READ,
            ),
            Route(
                "GET", "/sayings/best", "getBest", "The best or the newest sayings, page by page", self.get_best,
                BestAnswer, query=BestQuery, errors=(InvalidRequest, SayingsUnavailable, *limited),
                limit=RateClass.READ,
            ),
            Route(
                "GET", "/sayings/{sayingId}", "getStoredSaying", "One saying, with its author and its votes",
                self.get_stored_saying, StoredSayingAnswer,
                errors=(InvalidRequest, SayingNotFound, SayingWithdrawn, SayingsUnavailable, *limited),
                limit=RateClass.READ,
            ),
            Route(
                "POST", "/feedback", "postFeedback", "Vote on a saying, or change one's vote", self.post_feedback,
                FeedbackAnswer, body=FeedbackRequest,
                errors=(*bad_body, *votes[1:], SourceMismatch, SayingWithdrawn, *limited), limit=RateClass.VOTE,
            ),
            Route(
                "DELETE", "/feedback/{sayingId}", "deleteFeedback", "Take one's vote back", self.delete_feedback,
                FeedbackAnswer, errors=(*votes, *limited), limit=RateClass.VOTE,
            ),
            Route(
                "POST", "/sayings/{sayingId}/report", "postReport", "Ask that a saying be looked at", self.post_report,
                ReportAnswer, body=ReportRequest,
                errors=(*bad_body, SayingNotFound, SayingWithdrawn, NotStored, StorageFull, *limited),
                limit=RateClass.VOTE,
            ),
            Route(
                "POST", "/compare", "postCompare", "Ask all models for one saying each, blindly", self.post_compare,
                CompareAnswer, body=CompareRequest,
                errors=(*bad_body, ComparisonNotFound, NothingToCompare, ComparisonUnavailable, *limited),
                limit=RateClass.COMPARE,
                events={
                    "comparison": ComparisonStarted, "progress": ComparisonProgress, "slots": ComparisonSlots,
                    "done": ComparisonDone,
                },
            ),
            Route(
                "GET", "/compare/{comparisonId}", "getCompare", "A comparison again, and its authors after the vote",
                self.get_compare, ComparisonView,
                errors=(InvalidRequest, ComparisonNotFound, ComparisonUnavailable, StorageFull, *limited),
                limit=RateClass.VOTE,
            ),
            Route(
                "POST", "/compare/{comparisonId}/vote", "postCompareVote",
                "Vote on a comparison, once, and see who wrote what", self.post_compare_vote,
                CompareVoteAnswer, body=CompareVoteRequest,
                errors=(
                    *bad_body, ComparisonNotFound, ComparisonNotShown, ComparisonExpired, SlotNotEligible,
                    VoteNotStored, StorageFull, *limited,
                ),
                limit=RateClass.VOTE,
            ),
            Route(
                "DELETE", "/me", "deleteMe", "Delete everything that is stored of oneself", self.delete_me,
                ForgottenAnswer, errors=(NotForgotten, StorageFull, *limited), limit=RateClass.VOTE,
            ),
            Route(
                "GET", "/stats", "getStats", "The comparison of the models", self.get_stats, StatsAnswer,
                errors=(StatisticsUnavailable, *limited), limit=RateClass.READ,
            ),
            Route(
                "GET", "/models", "getModels", "The models with their prices", self.get_models, ModelsAnswer,
                errors=limited, limit=RateClass.READ,
            ),
            Route("GET", "/health/live", "getLive", "Whether the process answers", self.get_live, LiveAnswer),
            Route(
                "GET", "/health/ready", "getReady", "Whether it should receive requests", self.get_ready, ReadyAnswer,
                failure=(503, ReadyAnswer),
            ),
            Route(
                "GET", "/openapi.json", "getOpenApi", "This document", self.get_openapi, dict,
                errors=limited, limit=RateClass.READ,
            ),
        )  # fmt: skip

    def _operator_routes(self, key: OperatorKey) -> tuple[Route, ...]:
        def only_with_key(handler: Handler) -> Handler:
            async def checked(request: Request) -> Response:
                await key.check(request.headers.get("Authorization", ""))
                return await handler(request)

            return checked

        errors = (
            InvalidRequest, Unauthorized, RequestTimeout, BodyTooLarge, UnsupportedMediaType, OperatorKeyUnavailable,
            NotStored, StorageFull, RateLimited, Overloaded,
        )  # fmt: skip
        return (
            Route(
                "POST", "/admin/sayings/{sayingId}/withdraw", "postWithdraw", "Take a saying down everywhere",
                only_with_key(self.post_withdraw), TakedownAnswer, body=WithdrawRequest, errors=errors,
                limit=RateClass.VOTE, for_operators=True,
            ),
            Route(
                "POST", "/admin/sayings/{sayingId}/restore", "postRestore", "Restore a saying, or keep a reported one",
                only_with_key(self.post_restore), TakedownAnswer, errors=errors, limit=RateClass.VOTE,
                for_operators=True,
            ),
        )  # fmt: skip

    async def get_saying(self, request: Request) -> Response:
        asked = _saying_query(request.query) if request.query else _NOTHING_ASKED
        by_lot = asked.attribution is not None
        voter = self._voter(request) if by_lot else self._cookie.read(request)
        wish = self._showing.wish(voter, service=asked.service, after=asked.after)
        served = await self._flow.next_saying(request.caller.address, wish)
        shown = self._showing.show(served, voter, by_lot=by_lot)
        response = json_response(saying_answer(shown, elapsed_ms(request), xray_form(request.trace_id)))
        response.origin = served.origin
        return response

    async def get_best(self, request: Request) -> Response:
        asked = decode_query(request.query, BestQuery)
        page = await self._browsing.page(
            asked.order, service=asked.service, model=asked.model, after=asked.after.strip()
        )
        return json_response(best_answer(page))

    async def get_stored_saying(self, request: Request) -> Response:
        identity = _path_id(request, "sayingId")
        return json_response(stored_saying_answer(await self._browsing.saying(identity)))

    async def post_feedback(self, request: Request) -> Response:
        vote = decode_body(request, FeedbackRequest)
        voter = self._voter(request)
        opinion = Opinion(
            text=vote.saying,
            identity=vote.saying_id,
            feedback_type=vote.feedback_type,
            source=vote.source,
            token=vote.vote_token,
            execution_ms=vote.execution_time,
            cached=vote.is_cached,
        )
        saying, result = await self._saying_votes.vote(voter, opinion, request.caller.address)
        return json_response(feedback_answer(voter, saying, vote.feedback_type, result))

    async def delete_feedback(self, request: Request) -> Response:
        identity = _path_id(request, "sayingId")
        voter = self._cookie.read(request) or _new_voter()
        result = await self._saying_votes.withdraw(voter, identity)
        return json_response(withdrawn_feedback_answer(voter, identity, result))

    async def post_report(self, request: Request) -> Response:
        identity = _path_id(request, "sayingId")
        reason = decode_body(request, ReportRequest).reason
        bounded = networks(request.caller.address)
        network, _ = bounded[-1] if bounded else ("", 0)
        status = await self._moderation.report(self._voter(request), identity, reason, network)
        return json_response(ReportAnswer(identity, status))

    async def post_withdraw(self, request: Request) -> Response:
        identity = _path_id(request, "sayingId")
        reason = decode_body(request, WithdrawRequest).reason
        changed = await self._moderation.withdraw(identity, reason)
        return json_response(TakedownAnswer(identity, withdrawn=True, changed=changed))

    async def post_restore(self, request: Request) -> Response:
        identity = _path_id(request, "sayingId")
        changed = await self._moderation.restore(identity)
        return json_response(TakedownAnswer(identity, withdrawn=False, changed=changed))

    async def post_compare(self, request: Request) -> Response:
        wanted = decode_body(request, CompareRequest)
        stored = wanted.from_ is not None
        steps = self._comparisons.run(
            self._voter(request), wanted.service, stored=stored, client=request.caller.address
        )
        first = await anext(steps)  # an error raised here can still become an error response
        if wants_stream(request):
            return Response(200, b"", STREAM_HEADERS, _events(request, first, steps))
        return json_response(await _collected(request, first, steps))

    async def get_compare(self, request: Request) -> Response:
        identity = _path_id(request, "comparisonId")
        return json_response(comparison_view(await self._comparison_votes.show(self._voter(request), identity)))

    async def post_compare_vote(self, request: Request) -> Response:
        identity = _path_id(request, "comparisonId")
        winner = decode_body(request, CompareVoteRequest).winner
        voter = self._cookie.read(request)
        if voter is None:
            await self._comparison_votes.take_unverified(identity, winner)
            return json_response(CompareVoteAnswer(identity, winner, BallotStatus.UNVERIFIED, slots=[]))
        comparison, result = await self._comparison_votes.vote(voter, identity, winner, request.caller.address)
        return json_response(compare_vote_answer(comparison, result))

    async def delete_me(self, request: Request) -> Response:
        voter = self._cookie.read(request)
        promise = await self._forgetting.forget(voter)
        if voter is not None:
            self._cookie.remove(request)
        return json_response(forgotten_answer(promise))

    async def get_stats(self, _: Request) -> Response:
        return Response(200, await self._statistics.encoded(), JSON_HEADERS)

    async def get_models(self, _: Request) -> Response:
        return json_response(self.models())

    def models(self) -> ModelsAnswer:
        """The seats and models of today."""
        models = [self._model_entry(model) for model in self._catalogue]
        return ModelsAnswer([self._seat_entry(seat) for seat in self._line_up.seats], models)

    async def get_live(self, _: Request) -> Response:
        return json_response(LiveAnswer())

    async def get_ready(self, _: Request) -> Response:
        state = await self._readiness.state()
        is_ready, dependencies = state.is_ready, state.dependencies
        if self.draining:
            is_ready, dependencies = False, dependencies | {"server": "draining"}
        answer = ReadyAnswer("ready" if is_ready else "not_ready", dependencies, state.causes)
        return json_response(answer, 200 if is_ready else 503)

    async def get_openapi(self, _: Request) -> Response:
        return Response(200, self._openapi, JSON_HEADERS)

    def _voter(self, request: Request) -> str:
        """The voter's id. A new voter gets one with the response, even if that is an error.

        A client that repeats a vote which may already have been stored must be recognised as the same voter.
        """
        voter = self._cookie.read(request)
        if voter is None:
            voter = _new_voter()
            self._cookie.set(request, voter)
        return voter

    def _model_entry(self, model: Model) -> ModelEntry:
        price, left_on = model.price_on(self._line_up.day), self._line_up.left_on(model)
        return ModelEntry(
            model=model.id,
            vendor=model.vendor,
            name=model.display_name,
            source=model_source(model.display_name, simulated=self._simulated),
            participates=model in self._line_up,
            simulated=self._simulated,
            seat=model.seat,
            state=self._line_up.state_of(model),
            arrives=None if model.arrives is None else model.arrives.isoformat(),
            retires=None if model.retires is None else model.retires.isoformat(),
            left_on=None if left_on is None else left_on.isoformat(),
            successor=model.successor,
            price=None if price is None else price_entry(price),
        )

    def _seat_entry(self, seat: Seat) -> SeatEntry:
        holder = self._line_up.holder_of(seat)
        follower = None if holder is None else self._line_up.follower_of(holder)
        return SeatEntry(seat.name, holder.id if holder else None, follower.id if follower else None)


# The page asks for the same thing again and again.
@lru_cache(maxsize=64)
def _saying_query(query: str) -> SayingQuery:
    return decode_query(query, SayingQuery)


def _path_id(request: Request, name: str) -> str:
    identity = request.parameters[name]
    if not _ID.fullmatch(identity):
        raise InvalidRequest(
            "The id in the address does not have the form of an id.", details=[f"{name}: expected 32 hex digits"]
        )
    return identity


async def _events(request: Request, first: Step, steps: AsyncGenerator[Step, None]) -> AsyncGenerator[bytes, None]:
    with request.caller.staying():
        async with aclosing(steps):
            yield server_sent_event(*event_of(first))
            async for step in steps:
                yield server_sent_event(*event_of(step))


async def _collected(request: Request, first: Step, steps: AsyncGenerator[Step, None]) -> CompareAnswer:
    with request.caller.staying():
        async with aclosing(steps):
            collected = [first, *[step async for step in steps]]
    opened, *_, shown, closed = collected
    return compare_answer(cast("Opened", opened), cast("Slots", shown), cast("Closed", closed))


def _new_voter() -> str:
    return secrets.token_urlsafe(24)
