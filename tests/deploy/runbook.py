"""deploy/RUNBOOK.md in parts."""

import re
from dataclasses import dataclass

from tests.deploy.dockerfile import ROOT

TEXT = (ROOT / "deploy/RUNBOOK.md").read_text()
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under a heading; `chapter` is the heading above it."""

    chapter: str
    title: str
    text: str


def sections() -> list[Section]:
    found = []
    for part in re.split(r"^# ", TEXT, flags=re.MULTILINE)[1:]:
        chapter, _, rest = part.partition("\n")
        for each in re.split(r"^## ", rest, flags=re.MULTILINE)[1:]:
            title, _, text = each.partition("\n")
            found.append(Section(chapter, title, text))
    return found


def blocks(language: str, text: str = TEXT) -> list[str]:
    """The code blocks of one language: `insights`, `xray` or `sh`."""
    return [body.strip() for name, body in _BLOCK.findall(text) if name == language]


def anchors() -> set[str]:
    """The anchors by which links name the headings."""
    return {re.sub(r"[^\w -]", "", section.title).lower().replace(" ", "-") for section in sections()}


def links() -> set[str]:
    return set(re.findall(r"\]\(#([^)]+)\)", TEXT))


def metrics() -> set[tuple[str, frozenset[str]]]:
    """The metrics that the runbook names, each with its dimensions."""
    return {
        (name, frozenset(dimensions.split(", ")))
        for name, dimensions in re.findall(r"`CloudSayings/(\w+)\{([^}]+)\}`", TEXT)
    }
