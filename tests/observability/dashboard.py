"""CloudWatch's dashboards: the series that a widget shows, by its shorthands and its searches."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.observability.recording import Recording, Series, series

_SEARCH = re.compile(r"SEARCH\('\{(?P<schema>[^}]*)\} (?P<terms>.*)', '(?P<stat>\w+)'\)")
# A property with one value or several, or a term that may stand anywhere.
_TERM = re.compile(r'(?:(?P<name>"[^"]+"|\w+)=)?(?P<values>\([^)]*\)|"[^"]+"|[\w.:/-]+)')


def rows(widget: Mapping[str, Any]) -> Iterator[Any]:
    """What each row of a widget asks for: the expression of a search, or a series."""
    above: list[str] = []
    for row in widget["properties"]["metrics"]:
        words = [value for value in row if isinstance(value, str)]
        if not words:
            yield row[0]["expression"]
            continue
        if words[0] == "...":
            words = above[: len(above) - len(words) + 1] + words[1:]
        above = [above[n] if word == "." else word for n, word in enumerate(words)]
        namespace, metric, *dimensions = above
        yield series(namespace, metric, zip(dimensions[::2], dimensions[1::2], strict=True))


def shown(row: Any, recording: Recording) -> set[Series]:
    """The series with data that a row shows."""
    return searched(row, recording.series) if isinstance(row, str) else {row} & recording.series


def searched(expression: str, among: Iterable[Series]) -> set[Series]:
    """The series that a search finds: those of exactly its schema that every term holds for."""
    parts = _SEARCH.fullmatch(expression)
    assert parts, expression
    namespace, *names = (_bare(name) for name in parts["schema"].split(","))
    terms = list(_TERM.finditer(parts["terms"]))
    return {
        each
        for each in among
        if each.namespace == namespace
        and {name for name, _ in each.dimensions} == set(names)
        and all(_holds(term, each) for term in terms)
    }


def _holds(term: re.Match[str], of: Series) -> bool:
    texts = {"MetricName": of.metric, **dict(of.dimensions)}
    if term["name"]:
        wanted = re.findall(r'"[^"]+"|\b(?!OR\b)[\w.:/-]+', term["values"])
        return any(_matches(value, texts.get(_bare(term["name"]), "")) for value in wanted)
    return any(_matches(term["values"], text) for text in (*texts, *texts.values()))


def _matches(wanted: str, text: str) -> bool:
    """In quotes a value must be the whole text, else its words must be among the text's."""
    if wanted.startswith('"'):
        return text == _bare(wanted)
    return set(re.findall(r"\w+", wanted.lower())) <= set(re.findall(r"\w+", text.lower()))


def _bare(name: str) -> str:
    return name.strip().strip('"')
