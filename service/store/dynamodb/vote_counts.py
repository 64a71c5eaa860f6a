"""How a vote counts: the writes that add it to all counts, set it aside or take it back.

Only what was cast first is counted, by its standing. The saying's own counters follow the present opinion instead.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.domain import Attribution, FeedbackType, Standing, day_of, vote_delta
from service.store.base import StoredVote, Strand
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import count
from service.store.dynamodb.line_sums import total
from service.store.dynamodb.lines import (
    SAYINGS,
    VOTERS,
    add_for_voter,
    add_to_line,
    hour_count,
    service_line,
    service_shard,
    vote_counts,
    votes_line,
)
from service.store.dynamodb.quota_items import add_to_voter
from service.store.dynamodb.vote_writes import add_to_saying
from service.store.dynamodb.writes import steps_from_or_to_nothing
from service.store.groups import voter_group

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write


@dataclass(frozen=True, slots=True)
class Recount:
    """A vote that gets another standing. None stands for a vote that is not stored yet, or no longer.

    `saying` and `voter` are the items of its saying and its voter as they were read.
    """

    vote: StoredVote
    saying: "Item"
    voter: "Item"
    before: Standing | None
    after: Standing | None

    @property
    def strand(self) -> Strand:
        prompt_version, snapshot = (
            self.saying[name]["S"] if name in self.saying else "" for name in ("prompt_version", "snapshot")
        )
        return Strand(self.vote.contributor, day_of(self.vote.first_cast_at), prompt_version, snapshot)

    @property
    def services(self) -> list[str]:
        return sorted({service["S"] for service in self.saying["services"]["L"]})

    @property
    def opinions(self) -> tuple[int, int]:
        """The changes of the saying's upvotes and downvotes."""
        opinion = self.vote.opinion
        return vote_delta(opinion if self.before else None, opinion if self.after else None)

    @property
    def step(self) -> int:
        """By how much the number of counted blind votes changes: -1, 0 or 1."""
        if self.vote.attribution is not Attribution.BLIND:
            return 0
        return (self.after is Standing.COUNTED) - (self.before is Standing.COUNTED)

    @property
    def of_voter(self) -> int:
        """The counted blind votes of the voter for the contributor so far."""
        return count(self.voter, self.vote.contributor)

    @property
    def on_saying(self) -> int:
        """The counted blind votes on the saying so far."""
        return count(self.saying, "blind_votes")

    @property
    def counts(self) -> dict[str, float]:
        """What changes in the line of the votes. It also counts the voters and sayings that have any such votes."""
        vote, step = self.vote, self.step
        changes = [
            vote_counts(vote, standing, sign) for standing, sign in ((self.before, -1), (self.after, 1)) if standing
        ]
        if self.before is None or self.after is None:
            changes.append(hour_count(vote.first_cast_at, 1 if self.after else -1))
        for name, before in ((VOTERS, self.of_voter), (SAYINGS, self.on_saying)):
            if _can_step(before, step) and steps_from_or_to_nothing(before, step):
                changes.append({name: step})
        return total(changes)


def _can_step(before: int, step: int) -> bool:
    """Whether there is a step, and not one below nothing, which would follow a loss of data."""
    return step > 0 or (step < 0 < before)


class VoteCounts(Database):
    """Builds the writes of everything that counts votes."""

    def _recount(self, change: Recount) -> "list[Write]":
        vote, step = change.vote, change.step
        writes = [add_for_voter(self._state, vote.voter, votes_line(change.strand), change.counts)]
        up, down = change.opinions
        on_saying = step if _can_step(change.on_saying, step) else 0
        if up or down or on_saying:
            writes.append(
                add_to_saying(self._sayings, change.saying, upvotes=up, downvotes=down, blind_votes=on_saying)
            )
        if step:
            upvotes = step if vote.first is FeedbackType.POSITIVE else 0
            lines = (service_line(service, vote.contributor) for service in change.services)
            writes += [
                add_to_line(self._state, service_shard(vote.voter), line, {"n": step, "u": upvotes}) for line in lines
            ]
        if _can_step(change.of_voter, step):
            writes.append(add_to_voter(self._state, vote, change.of_voter, step, self._quotas))
        return writes

    def _uncount_old(self, vote: StoredVote, saying: "Item") -> "list[Write]":
        """Take a vote of an earlier version back, which is counted by its contributor and opinion alone."""
        up, down = vote_delta(vote.opinion, None)
        opinion = "upvotes" if vote.first is FeedbackType.POSITIVE else "downvotes"
        writes = [add_to_line(self._state, voter_group(vote.voter), vote.contributor, {opinion: -1})]
        if up or down:
            writes.append(add_to_saying(self._sayings, saying, upvotes=up, downvotes=down))
        return writes
