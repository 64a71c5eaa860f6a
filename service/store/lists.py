"""The lists of sayings that a store keeps: which ones there are, and which of them a saying is in."""

from collections.abc import Iterable

from service.store.base import Listing

_ALL = "all"


def lists_of(services: Iterable[str], model: str | None) -> list[str]:
    """The names of the lists that a saying is in: that of all sayings, of each of its services, and of its model."""
    of_services = [_of_service(service) for service in dict.fromkeys(services)]
    return [_ALL, *of_services, *([] if model is None else [_of_model(model)])]


def list_with(listing: Listing) -> str:
    """The name of the list that has the sayings of a listing. With both a service and a model, it has others, too."""
    if listing.service is not None:
        return _of_service(listing.service)
    return _ALL if listing.model is None else _of_model(listing.model)


def _of_service(service: str) -> str:
    return f"service#{service}"


def _of_model(model: str) -> str:
    return f"model#{model}"
