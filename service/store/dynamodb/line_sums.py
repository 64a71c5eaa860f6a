"""Reads the lines of counts and adds them up over the shards."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.domain import Outcome
from service.store.base import Aggregates, CallTally, Cell, Counts, HourTally, OutcomeTally, Strand, VoteTally
from service.store.dynamodb.lines import (
    ASIDE,
    BALLOTS,
    BLIND,
    BUCKET,
    CALLS,
    FAILED,
    HOUR,
    NAMED,
    OF_HOUR,
    OLD_CALLS,
    OPENED,
    REJECTED,
    SAYINGS,
    SERVICE,
    UNVERIFIED,
    VOTERS,
    VOTES,
    calls_line,
    line_of,
    shard_of,
    to_calls_key,
    to_old_calls_key,
    to_outcomes,
    to_votes_strand,
    votes_line,
)
from service.store.groups import ITEM_GROUPS

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item

Numbers = Mapping[str, float]

# The lines that are named after a contributor alone.
_SERVES = "serves"

_GROUPS = [f"{group:x}" for group in range(ITEM_GROUPS)]
# The names of the two numbers of each cell: votes, and how many of them are upvotes.
_CELLS = {kind: [(f"{kind}{group}n", f"{kind}{group}u") for group in _GROUPS] for kind in (BLIND, NAMED)}


@dataclass(frozen=True, slots=True)
class Line:
    """The numbers that one shard holds of a line."""

    part: str
    shard: int
    numbers: Numbers

    @property
    def kind(self) -> str:
        return self.part.partition("#")[0] if "#" in self.part else _SERVES


def to_line(item: "Item") -> Line:
    numbers = {name: _number(value["N"]) for name, value in item.items() if "N" in value}
    return Line(line_of(item), shard_of(item), numbers)


def _number(digits: str) -> float:
    return int(digits) if digits.lstrip("-").isdigit() else float(digits)


def total(lines: Iterable[Numbers]) -> dict[str, float]:
    """What lines count together."""
    sums: dict[str, float] = {}
    for numbers in lines:
        for name, number in numbers.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def by_shard(lines: Iterable[Line]) -> dict[int, Numbers]:
    """What lines count together in each shard."""
    shards: dict[int, list[Numbers]] = defaultdict(list)
    for line in lines:
        shards[line.shard].append(line.numbers)
    return {shard: numbers[0] if len(numbers) == 1 else total(numbers) for shard, numbers in shards.items()}


def aggregates(lines: Iterable[Line], *, since_hour: str) -> Aggregates:
    """All counts. What has gone back to nothing is left out."""
    kinds: dict[str, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for each in _in_present_form(line):
            kinds[each.kind][each.part].append(each)
    calls = {to_calls_key(part): _call_tally(of_part) for part, of_part in kinds[CALLS].items()}
    votes = {to_votes_strand(part): _vote_tally(of_part) for part, of_part in kinds[VOTES].items()}
    return Aggregates(
        serves=_serves(kinds[_SERVES]),
        hours=_hours(kinds[HOUR], kinds[VOTES], since_hour),
        services=_services(kinds[SERVICE]),
        votes={strand: tally for strand, tally in votes.items() if tally != VoteTally()},
        calls={key: tally for key, tally in calls.items() if tally != CallTally()},
        outcomes=_outcomes(kinds[BALLOTS]),
    )


def _in_present_form(line: Line) -> Iterator[Line]:
    """A line, or what it is in the form of this version: votes were unverified, and calls were billed."""
    yield line
    if line.kind == OLD_CALLS:
        yield replace(line, part=calls_line(*to_old_calls_key(line.part)))
    if line.kind == _SERVES and not line.numbers.keys().isdisjoint(("upvotes", "downvotes")):
        upvotes, downvotes = line.numbers.get("upvotes", 0), line.numbers.get("downvotes", 0)
        votes = {f"{UNVERIFIED}n": upvotes + downvotes, f"{UNVERIFIED}u": upvotes}
        yield Line(votes_line(Strand(line.part, "")), line.shard, votes)


def _serves(parts: Mapping[str, list[Line]]) -> dict[str, int]:
    found = {contributor: _sum(lines, "serves") for contributor, lines in parts.items()}
    return {contributor: serves for contributor, serves in found.items() if serves}


def _services(parts: Mapping[str, list[Line]]) -> dict[tuple[str, str], Counts]:
    found: dict[tuple[str, str], Counts] = {}
    for part, lines in parts.items():
        _, service, contributor = part.split("#", 2)
        found[service, contributor] = _counts(lines, "")
    return {key: counts for key, counts in found.items() if counts != Counts()}


def _hours(
    served: Mapping[str, list[Line]], voted: Mapping[str, list[Line]], since_hour: str
) -> dict[tuple[str, str], HourTally]:
    serves, votes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for part, lines in served.items():
        _, hour, contributor = part.split("#", 2)
        serves[hour, contributor] += _sum(lines, "serves")
    for part, lines in voted.items():
        strand = to_votes_strand(part)
        if strand.day >= since_hour[:10]:
            for hour, number in _with_prefix(_total(lines), OF_HOUR).items():
                votes[f"{strand.day}T{hour}", strand.contributor] += number
    found = {key: HourTally(serves[key], votes[key]) for key in serves.keys() | votes.keys() if key[0] >= since_hour}
    return {key: tally for key, tally in found.items() if tally != HourTally()}


def _vote_tally(lines: list[Line]) -> VoteTally:
    shards = by_shard(lines)
    return VoteTally(
        blind=_cells(shards, BLIND),
        named=_cells(shards, NAMED),
        opened=_counts(lines, OPENED),
        aside=_counts(lines, ASIDE),
        unverified=_counts(lines, UNVERIFIED),
        voters=_sum(lines, VOTERS),
        sayings=_sum(lines, SAYINGS),
    )


def _cells(shards: Mapping[int, Numbers], kind: str) -> dict[Cell, Counts]:
    return {
        (shard, group): Counts(int(numbers.get(votes, 0)), int(numbers.get(upvotes, 0)))
        for shard, numbers in shards.items()
        for group, (votes, upvotes) in enumerate(_CELLS[kind])
        if numbers.get(votes) or numbers.get(upvotes)
    }


def _call_tally(lines: list[Line]) -> CallTally:
    sums = _total(lines)
    return CallTally(
        calls=_int(sums, "calls") + _int(sums, "billed"),
        failed=_with_prefix(sums, FAILED),
        latencies={int(name): count for name, count in _with_prefix(sums, BUCKET).items()},
        latency_ms=float(sums.get("latency_ms", 0)),
        unpriced=_int(sums, "unpriced"),
        sayings=_int(sums, "sayings"),
        input_tokens=_int(sums, "input_tokens"),
        output_tokens=_int(sums, "output_tokens"),
        cost_nanos=_int(sums, "cost_nanos"),
        rejected=_with_prefix(sums, REJECTED),
    )


def _outcomes(parts: Mapping[str, list[Line]]) -> dict[tuple[str, Outcome], OutcomeTally]:
    found = {}
    for part, lines in parts.items():
        shards, (day, outcomes) = by_shard(lines), to_outcomes(part)
        for position, outcome in enumerate(outcomes):
            names = [f"{position}{group}" for group in _GROUPS]
            counted = {
                (shard, group): int(numbers[name])
                for shard, numbers in shards.items()
                for group, name in enumerate(names)
                if numbers.get(name)
            }
            found[day, outcome] = OutcomeTally(counted, _sum(lines, f"{ASIDE}{position}"))
    return {key: tally for key, tally in found.items() if tally != OutcomeTally()}


def _total(lines: Iterable[Line]) -> dict[str, float]:
    return total(line.numbers for line in lines)


def _sum(lines: Iterable[Line], name: str) -> int:
    return int(sum(line.numbers.get(name, 0) for line in lines))


def _counts(lines: Iterable[Line], kind: str) -> Counts:
    return Counts(_sum(lines, f"{kind}n"), _sum(lines, f"{kind}u"))


def _with_prefix(sums: Numbers, prefix: str) -> dict[str, int]:
    """The numbers whose names have a prefix, by their names without it."""
    return {name.removeprefix(prefix): int(number) for name, number in sums.items() if name.startswith(prefix)}


def _int(sums: Numbers, name: str) -> int:
    return int(sums.get(name, 0))
