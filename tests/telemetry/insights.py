"""Enough of CloudWatch Logs Insights for our own queries: what they read, and what the simplest of them answer."""

import json
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from telemetry.metrics import DIMENSIONS

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|like\s+/(?:[^/\\]|\\.)+/|\b\d[\w.]*|`(?P<quoted>[^`]+)`|(?P<name>@?[A-Za-z_][\w.]*)(?P<call>\s*\()?'
)
_WORDS = {
    "fields", "filter", "stats", "sort", "limit", "display", "by", "as", "and", "or", "not", "like", "in", "desc",
    "asc",
}  # fmt: skip
_DURATION = re.compile(r"\bbin\(\w+\)")
_ALIAS = re.compile(r"\bas\s+(\w+)")
# The fields of metrics: their names, their dimensions and, as the collector sends it, the maximum of a histogram.
OF_METRICS = {
    field
    for metric, sets in DIMENSIONS.items()
    for field in (metric, f"{metric}.Max", *(name for dimensions in sets for name in dimensions))
}
# What CloudWatch itself knows of a line, and of an invocation's REPORT.
ITS_OWN = {
    "@timestamp", "@message", "@log", "@logStream", "@type", "@requestId", "@duration", "@billedDuration",
    "@initDuration", "@maxMemoryUsed", "@memorySize",
}  # fmt: skip


def fields_of(query: str) -> set[str]:
    """The fields that a query reads, without the names that it defines itself (`as x`)."""
    query = _DURATION.sub("bin()", query)
    found = {
        match["quoted"] or match["name"]
        for match in _TOKEN.finditer(query)
        if match["quoted"] or (match["name"] and not match["call"] and match["name"] not in _WORDS)
    }
    return found - set(_ALIAS.findall(query))


def messages_of(query: str) -> set[str]:
    """The texts that a query looks for in `message`."""
    listed = re.findall(r"\bmessage in \[([^]]+)\]", query)
    return set(re.findall(r'\bmessage = "([^"]+)"', query)) | {
        text for each in listed for text in json.loads(f"[{each}]")
    }


def counted(query: str, lines: Iterable[str]) -> Counter[tuple[str, ...]]:
    """The answer to a query of nothing but `fields`, `filter` and `stats count() by`, over a log."""
    records = list(_records(lines))
    for command in _commands(query):
        verb, _, rest = command.partition(" ")
        match verb:
            case "fields":
                wanted = [name.strip() for name in rest.split(",")]
                records = [{name: record[name] for name in wanted if name in record} for record in records]
            case "filter":
                records = [record for record in records if _holds(rest, record)]
            case "stats":
                return _count(rest, records)
            case _:
                raise NotImplementedError(command)
    raise NotImplementedError("a query without stats")


def _commands(query: str) -> list[str]:
    """The parts between pipes, but for those within a regular expression or a text."""
    return [part.strip() for part in re.findall(r'(?:like\s+/(?:[^/\\]|\\.)+/|"(?:[^"\\]|\\.)*"|[^|])+', query)]


def _records(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Lines that are no JSON have no fields but CloudWatch's own."""
    for line in lines:
        record = json.loads(line) if line.startswith("{") else {}
        yield {"@timestamp": record.get("timestamp", ""), "@message": line, **record}


def matching(query: str, lines: Iterable[str]) -> list[str]:
    """The lines that a query's filters let through."""
    records = list(_records(lines))
    for command in _commands(query):
        verb, _, rest = command.partition(" ")
        if verb == "filter":
            records = [record for record in records if _holds(rest, record)]
    return [record["@message"] for record in records]


_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)+/|!=|<=|>=|[()\[\],=<>]|`[^`]+`|[\w@.-]+')
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


def _holds(condition: str, record: Mapping[str, Any]) -> bool:
    return _Condition(condition, record).holds()


class _Condition:
    """A condition of `filter`, read from left to right while it is judged over a record."""

    def __init__(self, text: str, record: Mapping[str, Any]) -> None:
        self._words = _WORD.findall(text)
        self._record = record

    def holds(self) -> bool:
        found = self._either()
        if self._words:
            raise NotImplementedError(self._words)
        return found

    def _either(self) -> bool:
        found = self._both()
        while self._next_is("or"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._next_is("and"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._next_is("not"):
            return not self._one()
        if self._next_is("("):
            found = self._either()
            self._expect(")")
            return found
        if self._next_is("ispresent"):
            self._expect("(")
            value = self._field(self._words.pop(0))
            self._expect(")")
            return value is not None
        return self._comparison(self._field(self._words.pop(0)), self._words.pop(0))

    def _comparison(self, value: Any, comparison: str) -> bool:
        """Of a field that is missing nothing holds."""
        if comparison == "in":
            return value in self._list()
        wanted = self._words.pop(0)
        if comparison == "like":
            return value is not None and re.search(wanted.strip("/"), str(value)) is not None
        other = _literal(wanted)
        return isinstance(value, type(other) | int) and _COMPARISONS[comparison](value, other)

    def _list(self) -> list[Any]:
        self._expect("[")
        found = []
        while not self._next_is("]"):
            found.append(_literal(self._words.pop(0)))
            self._next_is(",")
        return found

    def _field(self, name: str) -> Any:
        """The value of a field; of one with dots also the part of an object."""
        name = name.strip("`")
        if name in self._record:
            return self._record[name]
        outer, _, inner = name.partition(".")
        within = self._record.get(outer)
        return within.get(inner) if isinstance(within, dict) else None

    def _next_is(self, word: str) -> bool:
        if self._words and self._words[0] == word:
            self._words.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        assert self._next_is(word), self._words


def _literal(word: str) -> str | float:
    return word[1:-1] if word.startswith('"') else float(word)


def _count(rest: str, records: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    grouping = re.fullmatch(r"count\(\)\s+by\s+(.+)", rest.strip())
    if grouping is None:
        raise NotImplementedError(rest)
    keys = [name.strip() for name in grouping[1].split(",")]
    return Counter(tuple(record.get(key, "") for key in keys) for record in records)
