"""Every endpoint: a request becomes a use case, its result a response. No framework here, and no I/O of its own."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from service.catalogue import NANOS_PER_DOLLAR, Catalogue, Model, Price
from service.deadline import within
from service.domain import FeedbackType, Generation, Origin, VoteResult, feedback_id, model_source
from service.errors import (
    BodyTooLarge,
    InvalidRequest,
    NoSayingAvailable,
    RequestTimeout,
    SayingNotFound,
    SourceMismatch,
    StorageFull,
    UnsupportedMediaType,
    VoteNotStored,
)
from service.feedback import Feedback, Opinion
from service.flow import Flow, Served
from service.http import JSON_HEADERS, Request, Response, Route, decode_body, elapsed_ms, json_response
from service.messages import (
    SAYING_ID_PATTERN,
    FeedbackAnswer,
    FeedbackRequest,
    LiveAnswer,
    Metrics,
    ModelEntry,
    ModelsAnswer,
    PriceEntry,
    ReadyAnswer,
    SayingAnswer,
    TokensUsed,
)
from service.openapi import openapi_document
from telemetry.traces import xray_form

VOTER_COOKIE = "sayings_voter"
VOTER_COOKIE_SECONDS = 365 * 24 * 3600
READY_SECONDS = 1.0

_VOTER = re.compile(rf"(?:^|;)\s*{VOTER_COOKIE}=([A-Za-z0-9_-]{{22,64}})\s*(?:;|$)")
_SAYING_ID = re.compile(SAYING_ID_PATTERN)


class Endpoints:
    """The service as functions from requests to responses. `checks` are the dependencies that readiness asks."""

    def __init__(
        self,
        *,
        flow: Flow,
        feedback: Feedback,
        catalogue: Catalogue,
        participants: Iterable[Model],
        simulated: bool,
        checks: dict[str, Callable[[], Awaitable[None]]],
    ) -> None:
        self._flow = flow
        self._feedback = feedback
        self._catalogue = catalogue
        self._participants = {model.id for model in participants}
        self._simulated = simulated
        self._checks = checks
        self.draining = False
        self.routes = self._routes()
        self._openapi = msgspec.json.encode(openapi_document(self.routes))

    def _routes(self) -> tuple[Route, ...]:
        bad_body = (InvalidRequest, RequestTimeout, BodyTooLarge, UnsupportedMediaType)
        votes = (InvalidRequest, SayingNotFound, VoteNotStored, StorageFull)
        return (
            Route(
                "GET", "/sayings", "getSaying", "The next saying", self.get_saying, SayingAnswer,
                errors=(NoSayingAvailable,),
            ),
            Route(
                "POST", "/feedback", "postFeedback", "Vote on a saying, or change one's vote", self.post_feedback,
                FeedbackAnswer, body=FeedbackRequest, errors=(*bad_body, *votes[1:], SourceMismatch),
            ),
            Route(
                "DELETE", "/feedback/{sayingId}", "deleteFeedback", "Take one's vote back", self.delete_feedback,
                FeedbackAnswer, errors=votes,
            ),
            Route("GET", "/models", "getModels", "The catalogue with prices", self.get_models, ModelsAnswer),
            Route("GET", "/health/live", "getLive", "Whether the process answers", self.get_live, LiveAnswer),
            Route(
                "GET", "/health/ready", "getReady", "Whether traffic is welcome", self.get_ready, ReadyAnswer,
                failure=(503, ReadyAnswer),
            ),
            Route("GET", "/openapi.json", "getOpenApi", "This description", self.get_openapi, dict),
        )  # fmt: skip

    async def get_saying(self, request: Request) -> Response:
        served = await self._flow.next_saying()
        return json_response(_saying_answer(served, elapsed_ms(request), xray_form(request.trace_id)))

    async def post_feedback(self, request: Request) -> Response:
        vote = decode_body(request, FeedbackRequest)
        voter = _known_voter(request)
        if voter is None:
            voter = _new_voter()
            # With every answer: who repeats a vote that may or may not have been stored must be the same voter.
            request.new_cookie = _voter_cookie(voter, secure=request.secure)
        opinion = Opinion(
            vote.saying, vote.saying_id, vote.source, vote.feedback_type, vote.execution_time, vote.is_cached
        )
        identity, result = await self._feedback.vote(voter, opinion)
        return json_response(_feedback_answer(voter, identity, vote.feedback_type, result))

    async def delete_feedback(self, request: Request) -> Response:
        identity = request.parameters["sayingId"]
        if not _SAYING_ID.fullmatch(identity):
            raise InvalidRequest("The saying's id is not one.", details=["sayingId: expected 32 hex digits"])
        voter = _known_voter(request) or _new_voter()
        result = await self._feedback.withdraw(voter, identity)
        return json_response(_feedback_answer(voter, identity, None, result))

    async def get_models(self, _: Request) -> Response:
        return json_response(ModelsAnswer([self._model_entry(model) for model in self._catalogue]))

    async def get_live(self, _: Request) -> Response:
        return json_response(LiveAnswer())

    async def get_ready(self, _: Request) -> Response:
        states = await asyncio.gather(*(_state(check) for check in self._checks.values()))
        dependencies = dict(zip(self._checks, states, strict=True))
        if self.draining:
            dependencies["server"] = "draining"
        ready = all(state == "ok" for state in dependencies.values())
        return json_response(ReadyAnswer("ready" if ready else "not_ready", dependencies), 200 if ready else 503)

    async def get_openapi(self, _: Request) -> Response:
        return Response(200, self._openapi, dict(JSON_HEADERS))

    def _model_entry(self, model: Model) -> ModelEntry:
        return ModelEntry(
            model=model.id,
            vendor=model.vendor,
            name=model.display_name,
            source=model_source(model.display_name, simulated=self._simulated),
            participates=model.id in self._participants,
            simulated=self._simulated,
            retires=None if model.retires is None else model.retires.isoformat(),
            price=None if model.price is None else _price(model.price),
        )


def _saying_answer(served: Served, elapsed_ms: float, trace: str) -> SayingAnswer:
    saying, generation = served.saying, served.generation
    return SayingAnswer(
        saying_id=saying.saying_id,
        saying=saying.text,
        source=saying.source,
        origin=served.origin,
        model=saying.model,
        vendor=saying.vendor,
        services=saying.services,
        request_number=served.request_number,
        is_cached=served.origin is Origin.CACHE,
        execution_time=elapsed_ms,
        original_llm_time=saying.llm_time_ms,
        degraded=served.degraded,
        metrics=Metrics(
            total_execution_time=elapsed_ms,
            api_latency=served.api_latency_ms,
            tokens_used=None if generation is None else _tokens(generation),
            cost=None if generation is None else _dollars(generation),
        ),
        trace_id=trace,
    )


def _tokens(generation: Generation) -> TokensUsed:
    return TokensUsed(generation.usage.input_tokens, generation.usage.output_tokens)


def _dollars(generation: Generation) -> float | None:
    return None if generation.cost_nanos is None else generation.cost_nanos / NANOS_PER_DOLLAR


def _price(price: Price) -> PriceEntry:
    return PriceEntry(price.input, price.cached_input, price.output, price.as_of.isoformat())


def _feedback_answer(
    voter: str, identity: str, feedback_type: FeedbackType | None, result: VoteResult
) -> FeedbackAnswer:
    return FeedbackAnswer(
        feedback_id(voter, identity), identity, feedback_type, result.upvotes, result.downvotes, result.status
    )


def _known_voter(request: Request) -> str | None:
    """The voter's random id by the cookie; None for somebody new."""
    match = _VOTER.search(request.headers.get("Cookie", ""))
    return match[1] if match else None


def _new_voter() -> str:
    return secrets.token_urlsafe(24)


def _voter_cookie(voter: str, *, secure: bool) -> str:
    attributes = f"Path=/; Max-Age={VOTER_COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
    return f"{VOTER_COOKIE}={voter}; {attributes}{'; Secure' if secure else ''}"


async def _state(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(within(READY_SECONDS)):
            await check()
    except TimeoutError:
        return "timeout"
    except Exception:  # noqa: BLE001 - whatever it is, the dependency is not ready, and what it is is nobody's business
        return "unavailable"
    return "ok"
