"""Votes on sayings: which claims of a client are checked, and which are only recorded."""

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial

from service.catalogue.models import Catalogue
from service.domain import Attribution, FeedbackType, Saying, Vote, VoteResult, saying_id
from service.errors import InvalidRequest, SayingNotFound, SayingWithdrawn, SourceMismatch
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.sayings.voter_memory import VoterMemory
from service.store.base import Store
from service.voting.guard import WriteGuard
from service.voting.networks import VoterNetworks
from service.voting.tokens import VoteTokens
from telemetry.events import Listener, VoteTaken


@dataclass(frozen=True, slots=True)
class Opinion:
    """A vote as the client sends it.

    The text or the id names the saying. The token proves that it was served to the voter; without one the source must
    be named. A token that proves nothing is as good as a source. `execution_ms` and `cached` are stored but not
    trusted.
    """

    text: str | None
    identity: str | None
    feedback_type: FeedbackType
    source: str | None = None
    token: str | None = None
    execution_ms: float | None = None
    cached: bool | None = None


class SayingVotes:
    """Checks, stores and withdraws votes on sayings.

    `models` returns how many models have sayings to be served at the moment, and `withdrawn` has the ids of the sayings
    that take no more votes.
    """

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        listener: Listener,
        *,
        tokens: VoteTokens,
        networks: VoterNetworks,
        memory: VoterMemory,
        models: Callable[[], int],
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._tokens = tokens
        self._networks = networks
        self._memory = memory
        self._models = models
        self._withdrawn = withdrawn
        self._listener = listener
        self._clock = clock
        self._guard = WriteGuard(listener, timeouts=timeouts)

    async def vote(self, voter: str, opinion: Opinion, address: str = "") -> tuple[Saying, VoteResult]:
        """Store a vote; returns the saying and the effect of the vote.

        `address` is the client's address, of which only so many votes a day count in the comparison.
        Raises InvalidRequest, SayingNotFound, SayingWithdrawn, SourceMismatch, VoteNotStored or StorageFull.
        """
        return await self._guard.accept(self._vote(voter, opinion, address), "vote")

    async def withdraw(self, voter: str, identity: str) -> VoteResult:
        """Withdraw the voter's vote; the status is `unchanged` without one. Raises SayingNotFound or VoteNotStored."""
        return await self._guard.accept(self._withdraw(voter, identity), "withdraw vote")

    async def close(self) -> None:
        """Wait for the votes that are being stored."""
        await self._guard.close()

    async def _vote(self, voter: str, opinion: Opinion, address: str) -> tuple[Saying, VoteResult]:
        identity = _identity(opinion)
        if identity in self._withdrawn:
            raise SayingWithdrawn
        attribution = await self._attribution(voter, identity, opinion)
        vote = await self._as_vote(identity, voter, opinion, attribution, address)
        taken = await self._store.vote(vote, partial(self._check_source, opinion.source))
        if taken is None:
            raise SayingNotFound
        saying, result = taken
        self._memory.of(voter).vote(identity, opinion.feedback_type)
        self._listener.emit(VoteTaken(opinion.feedback_type, result.status, saying.contributor, _generation_id(saying)))
        return saying, result

    async def _attribution(self, voter: str, identity: str, opinion: Opinion) -> Attribution | None:
        """What the token proves. Raises InvalidRequest when there is neither a token nor a source."""
        if opinion.token is not None:
            return await self._tokens.read(opinion.token, identity, voter)
        if opinion.source is None:
            raise InvalidRequest(
                "The body must contain the source of the saying or the token of its serve.",
                details=["source: missing", "voteToken: missing"],
            )
        return None

    async def _as_vote(
        self, identity: str, voter: str, opinion: Opinion, attribution: Attribution | None, address: str
    ) -> Vote:
        now = self._clock()
        return Vote(
            saying_id=identity,
            voter=voter,
            feedback_type=opinion.feedback_type,
            cast_at=now,
            attribution=attribution,
            networks=await self._networks.on(address, now),
            models=self._models(),
            claimed_execution_ms=opinion.execution_ms,
            claimed_cached=opinion.cached,
        )

    async def _withdraw(self, voter: str, identity: str) -> VoteResult:
        result = await self._store.withdraw_vote(identity, voter)
        if result is None:
            raise SayingNotFound
        self._memory.of(voter).vote(identity, None)
        self._listener.emit(VoteTaken("", result.status, ""))
        return result

    def _check_source(self, source: str | None, saying: Saying) -> None:
        if source is None or source == saying.source:
            return
        if not self._catalogue.knows_source(source):
            raise InvalidRequest(
                "The source names neither a known model nor the collection.", details=["source: unknown"]
            )
        raise SourceMismatch


def _generation_id(saying: Saying) -> str:
    return saying.generation.generation_id if saying.generation else ""


def _identity(opinion: Opinion) -> str:
    """The id of the saying. Raises InvalidRequest when both id and text are missing, or when they disagree."""
    if opinion.text is None and opinion.identity is None:
        raise InvalidRequest(
            "The body must contain the saying or its id.", details=["saying: missing", "sayingId: missing"]
        )
    if opinion.text is None:
        return opinion.identity or ""
    identity = saying_id(opinion.text)
    if opinion.identity is not None and opinion.identity != identity:
        raise InvalidRequest("The sayingId is not the id of that saying.", details=["sayingId: differs from saying"])
    return identity
