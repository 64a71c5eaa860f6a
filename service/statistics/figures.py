"""The figures of one model over a period."""

from collections.abc import Mapping

from service.domain import CallKind
from service.statistics.calls import answered, cost, latencies, refused, tokens
from service.statistics.choices import Outcomes, picking
from service.statistics.history import History
from service.statistics.intervals import UNKNOWN, design_effect, difference_interval, share_interval
from service.statistics.samples import Sample
from service.statistics.schemas import Figures, Interval, VoteCounts


def figures(
    name: str,
    history: History,
    outcomes: Outcomes,
    *,
    named: bool,
    picked: Mapping[str, Interval],
    picked_of_asked: Mapping[str, Interval],
    paid_wins: int,
) -> Figures:
    """The figures of a contributor. Its approval has a value only if it may be `named`.

    `paid_wins` is the number of its wins on the days whose calls for comparisons are in the history.
    """
    blind, shown = history.blind, history.named
    decided = {outcome: given for outcome, given in picking(outcomes).items() if name in outcome.contributors}
    wins = sum(given.count for outcome, given in decided.items() if outcome.result == name)
    approval = share_interval(blind, named=named)
    return Figures(
        votes=votes_of(blind),
        named=votes_of(shown),
        open=VoteCounts(history.opened.votes, history.opened.upvotes),
        unverified=history.unverified.votes,
        set_aside=history.aside.votes,
        approval=approval,
        design_effect=design_effect(blind),
        brand_effect=difference_interval(shown, blind),
        ballots=sum(given.count for given in decided.values()),
        wins=wins,
        picked=picked.get(name, UNKNOWN),
        picked_of_asked=picked_of_asked.get(name, UNKNOWN),
        answered=answered(history),
        answered_by_kind={kind: answered(history, [kind]) for kind in CallKind},
        refused=refused(history),
        latency=latencies(history),
        tokens=tokens(history),
        cost=cost(history, approval, paid_wins),
    )


def votes_of(sample: Sample) -> VoteCounts:
    return VoteCounts(sample.votes, sample.upvotes)
