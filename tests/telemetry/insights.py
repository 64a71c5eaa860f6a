"""Enough of CloudWatch Logs Insights for our own queries: what they read, and what the simplest of them answer."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|like\s+/(?:[^/\\]|\\.)+/|\b\d[\w.]*|`(?P<quoted>[^`]+)`|(?P<name>@?[A-Za-z_][\w.]*)(?P<call>\s*\()?'
)
_WORDS = {
    "fields", "filter", "stats", "sort", "limit", "display", "by", "as", "and", "or", "not", "like", "in", "desc",
    "asc",
}  # fmt: skip
_DURATION = re.compile(r"\bbin\(\w+\)")
_ALIAS = re.compile(r"\bas\s+(\w+)")
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
    return set(re.findall(r'\bmessage = "([^"]+)"', query))


def counted(query: str, lines: Iterable[str]) -> Counter[tuple[str, ...]]:
    """The answer to a query of nothing but `fields`, `filter` and `stats count() by`, over a log."""
    records = list(_records(lines))
    for command in (part.strip() for part in query.split("|")):
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


def _records(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Lines that are no JSON have no fields but CloudWatch's own."""
    for line in lines:
        record = json.loads(line) if line.startswith("{") else {}
        yield {"@timestamp": record.get("timestamp", ""), "@message": line, **record}


def _holds(condition: str, record: Mapping[str, Any]) -> bool:
    comparison = re.fullmatch(r'(\S+)\s*(=|!=)\s*"([^"]*)"', condition.strip())
    if comparison is None:
        raise NotImplementedError(condition)
    name, operator, text = comparison.groups()
    return name in record and (record[name] == text) is (operator == "=")


def _count(rest: str, records: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    grouping = re.fullmatch(r"count\(\)\s+by\s+(.+)", rest.strip())
    if grouping is None:
        raise NotImplementedError(rest)
    keys = [name.strip() for name in grouping[1].split(",")]
    return Counter(tuple(record.get(key, "") for key in keys) for record in records)
