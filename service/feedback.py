"""Votes: what a client may say about a saying, and what is believed of it."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from service.catalogue import Catalogue
from service.deadline import within
from service.domain import FeedbackType, Saying, Vote, VoteResult, saying_id
from service.errors import InvalidRequest, SayingNotFound, SourceMismatch, StorageFull, StoreError, VoteNotStored
from service.store.base import Store
from telemetry.events import DependencyFailed, Listener, VoteTaken

VOTE_SECONDS = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opinion:
    """A vote as the client sends it: text or id names the saying, the claims beside it are kept but not believed."""

    text: str | None
    identity: str | None
    source: str
    feedback_type: FeedbackType
    execution_ms: float | None = None
    cached: bool | None = None


class Feedback:
    """Takes votes and takes them back."""

    def __init__(
        self, store: Store, catalogue: Catalogue, listener: Listener, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._listener = listener
        self._clock = clock
        self._under_way: set[asyncio.Task[Any]] = set()

    async def vote(self, voter: str, opinion: Opinion) -> tuple[str, VoteResult]:
        """Store an opinion; the saying's id and what the vote did.

        Raises InvalidRequest, SayingNotFound, SourceMismatch, VoteNotStored or StorageFull.
        """
        return await self._accept(self._vote(voter, opinion), "vote")

    async def withdraw(self, voter: str, identity: str) -> VoteResult:
        """Take one's own vote back; `unchanged` when there was none. Raises SayingNotFound or VoteNotStored."""
        return await self._accept(self._withdraw(voter, identity), "withdraw vote")

    async def close(self) -> None:
        """Wait for the votes under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _accept(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        """Do the work to its end even if the client that asked for it goes away."""
        task = asyncio.create_task(self._bounded(work, operation))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _bounded(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        try:
            async with asyncio.timeout(within(VOTE_SECONDS)):
                return await work
        except (StoreError, TimeoutError) as error:
            self._listener.emit(DependencyFailed("store", operation, type(error).__name__, str(error)))
            if isinstance(error, StorageFull):
                raise
            raise VoteNotStored from error

    async def _vote(self, voter: str, opinion: Opinion) -> tuple[str, VoteResult]:
        identity = _identity(opinion)
        saying = await self._store.get_saying(identity)
        if saying is None:
            raise SayingNotFound
        self._check_source(opinion.source, saying)
        vote = Vote(identity, voter, opinion.feedback_type, self._clock(), opinion.execution_ms, opinion.cached)
        result = await self._store.vote(vote)
        if result is None:
            raise SayingNotFound
        self._listener.emit(VoteTaken(opinion.feedback_type, result.status, saying.contributor, _generation_id(saying)))
        return identity, result

    async def _withdraw(self, voter: str, identity: str) -> VoteResult:
        result = await self._store.withdraw_vote(identity, voter)
        if result is None:
            raise SayingNotFound
        self._listener.emit(VoteTaken("", result.status, ""))
        return result

    def _check_source(self, source: str, saying: Saying) -> None:
        if source == saying.source:
            return
        if not self._catalogue.knows_source(source):
            raise InvalidRequest("The source names nobody known.", details=["source: unknown"])
        raise SourceMismatch


def _generation_id(saying: Saying) -> str:
    return saying.generation.generation_id if saying.generation else ""


def _identity(opinion: Opinion) -> str:
    """The id of the saying meant. Where both id and text are given they must agree."""
    if opinion.text is None and opinion.identity is None:
        raise InvalidRequest("The saying or its id is needed.", details=["saying: missing", "sayingId: missing"])
    if opinion.text is None:
        return opinion.identity or ""
    identity = saying_id(opinion.text)
    if opinion.identity is not None and opinion.identity != identity:
        raise InvalidRequest("The sayingId is not the id of that saying.", details=["sayingId: differs from saying"])
    return identity
