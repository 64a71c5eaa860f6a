"""Shows sayings to voters: new ones first, with or without the author as the lot falls, and with a token for a vote."""

import msgspec

from service.catalogue.topics import Topics
from service.domain import Attribution, FeedbackType, Origin
from service.sayings.flow import Served
from service.sayings.voter_memory import VoterMemory
from service.sayings.wish import ANYTHING, Wish, check_service, short_id
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
    """Decides what a client is shown with a saying, before and after it is served."""

    def __init__(self, memory: VoterMemory, tokens: VoteTokens, topics: Topics) -> None:
        self._memory = memory
        self._tokens = tokens
        self._topics = topics

    def wish(self, voter: str | None, *, service: str | None = None, after: str = "") -> Wish:
        """What to serve: a saying on the service, and one that is new to the voter.

        `after` names sayings that the client has seen, by their ids separated by commas. Raises InvalidRequest for an
        unknown service.
        """
        if service is not None:
            check_service(service, self._topics)
        seen = {short_id(saying_id) for saying_id in after.split(",")} if after else set()
        if voter is not None:
            seen |= self._memory.of(voter).seen
        return Wish(seen, service) if seen or service is not None else ANYTHING

    def show(self, served: Served, voter: str | None, *, by_lot: bool = False) -> Shown:
        """What is shown of a served saying. With `by_lot`, chance decides whether the author is."""
        if voter is None:
            return Shown(served)
        saying_id, remembered = served.saying.saying_id, self._memory.of(voter)
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
