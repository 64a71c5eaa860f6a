"""Items that are read together to decide about a write, and how a refused write corrects them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

T = TypeVar("T")

# A table and the key of an item in it.
Place = tuple[str, "Item"]


class Reading:
    """The items at some places. An item that does not exist is empty."""

    def __init__(self, places: "Sequence[Place]", items: "Sequence[Item]") -> None:
        self._places = places
        self._items = items

    @classmethod
    def of(cls, places: "Sequence[Place]", found: "Mapping[str, Sequence[Item]]") -> "Reading":
        """Put the items that were found, which are in any order in each table, at their places."""
        return cls(places, [_item_at(place, found) for place in places])

    def at(self, table: str, key: "Item") -> "Item":
        return self._items[self._places.index((table, key))]

    def corrected(self, met: "Iterable[tuple[str, Item]]") -> "Reading":
        """The same with newer items, each of which comes with its table."""
        items = list(self._items)
        for table, item in met:
            for index, place in enumerate(self._places):
                if place[0] == table and _has_key(item, place[1]):
                    items[index] = item
        return Reading(self._places, items)


# What follows from a reading: the writes of one transaction, if any, and the result once they are done.
Decide = Callable[[Reading], "tuple[list[Write], T]"]


def content_of(write: "Write") -> dict[str, Any]:
    """A write without its kind."""
    (content,) = cast("dict[str, dict[str, Any]]", write).values()
    return content


def _item_at(place: "Place", found: "Mapping[str, Sequence[Item]]") -> "Item":
    table, key = place
    return next((item for item in found.get(table, ()) if _has_key(item, key)), {})


def _has_key(item: "Item", key: "Item") -> bool:
    return all(item.get(name) == value for name, value in key.items())
