"""Shows sayings to voters: new ones first, with or without the author as the lot falls, and with a token for a vote."""

import msgspec

from service.catalogue.topics import Topics
from service.domain import Attribution, FeedbackType, Origin
from service.errors import InvalidRequest
from service.sayings.flow import Flow, Served
from service.sayings.voter_memory import VoterMemory
from service.sayings.wish import ANYTHING, Wish, short_id
from service.voting.tokens import VoteTokens


class Shown(msgspec.Struct, frozen=True, gc=False):
    """A served saying and what belongs to it for this voter.

    `token` is None when nobody is known to whom it could belong, and `opinion` when no vote of the voter is remembered.
    """

    served: Served
    is_blind: bool = False
    token: str | None = None
    opinion: FeedbackType | None = None


class Showing:
    """Decides what a client is shown with a saying."""

    def __init__(self, flow: Flow, memory: VoterMemory, tokens: VoteTokens, topics: Topics) -> None:
        self._flow = flow
        self._memory = memory
        self._tokens = tokens
        self._topics = topics

    async def next(
        self,
        client: str,
        voter: str | None = None,
        *,
        by_lot: bool = False,
        service: str | None = None,
        after: str = "",
    ) -> Shown:
        """The next saying for a client with that address, and for the voter if it is known.

        With `by_lot`, chance decides whether the author is shown. `after` names sayings that the client has seen, by
        their ids separated by commas. Raises InvalidRequest for an unknown service, and NoSayingAvailable.
        """
        if service is not None and service not in self._topics.names:
            raise InvalidRequest("No AWS service of that name is known.", details=["service: unknown"])
        seen = {short_id(saying_id) for saying_id in after.split(",")} if after else set()
        if voter is None:
            return Shown(await self._flow.next_saying(client, _wish(seen, service)))
        remembered = self._memory.of(voter)
        served = await self._flow.next_saying(client, _wish(seen | remembered.seen, service))
        saying_id = served.saying.saying_id
        remembered.show(saying_id)
        opinion = remembered.opinion(saying_id)
        attribution = self._attribution(served, voter) if by_lot and opinion is None else Attribution.OPEN
        token = self._tokens.make(saying_id, voter, attribution)
        return Shown(served, attribution is Attribution.BLIND, token, opinion)

    def _attribution(self, served: Served, voter: str) -> Attribution:
        """The lot. A saying that a model has just written takes no part, because its time would tell the author."""
        is_blind = self._tokens.draw_blind(served.saying.saying_id, voter)
        if served.origin is Origin.LIVE or is_blind is None:
            return Attribution.OPEN
        return Attribution.BLIND if is_blind else Attribution.NAMED


def _wish(seen: set[int], service: str | None) -> Wish:
    return Wish(seen, service) if seen or service is not None else ANYTHING
