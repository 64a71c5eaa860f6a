"""The models that take part, which are read from a data file, and the prices of their tokens.

Money is counted in nanodollars (billionths of a US dollar, as int). Every list price per million tokens is a whole
number of nanodollars per token, so that sums are exact and a cap is kept to the last nanodollar.
"""

import datetime
from collections.abc import Container, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.domain import COLLECTION_SOURCE, Usage, model_source
from service.errors import ConfigError
from service.urls import is_http_url

NANOS_PER_DOLLAR = 1_000_000_000
_NANOS_PER_MICRO = 1_000

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
Dollars = Annotated[float, Meta(ge=0, le=10_000)]


class LongPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a prompt of more than `over` input tokens costs instead, the whole of it: US dollars per million tokens."""

    over: Annotated[int, Meta(gt=0)]
    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens from the day `since` on; `as_of` is when the vendor's price list was last read.

    Without a price of its own, a cached token costs as much as a fresh one, and so does one written to the cache.
    """

    since: datetime.date
    as_of: datetime.date
    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
    long: LongPrompt | None = None

    def cost_nanos(self, usage: Usage) -> int:
        """What the usage costs in nanodollars. Thinking is part of the output tokens."""
        rate: Price | LongPrompt = self
        if self.long is not None and usage.input_tokens > self.long.over:
            rate = self.long
        cached_price = rate.input if rate.cached_input is None else rate.cached_input
        write_price = rate.input if rate.cache_write is None else rate.cache_write
        fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        dollars_per_million = (
            fresh * rate.input
            + usage.cached_input_tokens * cached_price
            + usage.cache_write_tokens * write_price
            + usage.output_tokens * rate.output
        )
        return round(dollars_per_million * _NANOS_PER_MICRO)


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the catalogue.

    `seat` is the place in the line-up that it can hold, from the day `arrives` until the day `retires`, on which its
    vendor stops serving it and `successor` takes the seat. An entry without a seat always takes part.

    How it is asked: `asked_as` is the vendor's name for it where that differs from `id`, because the effort is part of
    a model's identity; `output_limit` is the field that bounds the output; `thinking` and `effort` are sent where they
    are set. `base_url` points an entry at another endpoint that speaks the vendor's protocol (a local Ollama
    or vLLM); such an entry never gets the vendor's key, only the one `key_parameter` names, if any.
    `structured_output` is off for endpoints that do not take a JSON schema.
    """

    id: Name
    vendor: Name
    display_name: Name
    max_tokens: Annotated[int, Meta(ge=64, le=8_192)]
    timeout_seconds: Annotated[float, Meta(gt=0, le=120)]
    prices: list[Price] = []
    seat: Name | None = None
    arrives: datetime.date | None = None
    retires: datetime.date | None = None
    successor: Name | None = None
    asked_as: Name | None = None
    output_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    thinking: Literal["disabled", "between_tools", "adaptive"] | None = None
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    base_url: Annotated[str, Meta(pattern=r"^https?://\S+$")] | None = None
    key_parameter: Name | None = None
    structured_output: bool = True

    @property
    def vendors_name(self) -> str:
        """What the vendor calls the model."""
        return self.asked_as or self.id

    def price_on(self, day: datetime.date) -> Price | None:
        """The price that holds on a day; before the first one that is the first. None without any."""
        held = [price for price in self.prices if price.since <= day]
        return held[-1] if held else next(iter(self.prices), None)


class _CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: Annotated[list[Model], Meta(min_length=1)]
    prices: str = ""


class Catalogue:
    """The models by id, in the order of the file."""

    def __init__(self, models: list[Model]) -> None:
        self._models = {model.id: model for model in models}
        self._sources = {COLLECTION_SOURCE} | {
            model_source(model.display_name, simulated=simulated) for model in models for simulated in (False, True)
        }

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._models

    def __getitem__(self, model_id: str) -> Model:
        return self._models[model_id]

    def knows_source(self, source: str) -> bool:
        """Whether an attribution such as "Generated by GPT-4.1" belongs to a model or to the collection."""
        return source in self._sources


def load_catalogue(vendors: Container[str], path: str = "") -> Catalogue:
    """Read the packaged catalogue, or the one at `path` (`SAYINGS_CATALOGUE`).

    `vendors` are the vendors that have an adapter. Raises ConfigError for a catalogue that cannot be used.
    """
    try:
        raw = Path(path).read_bytes() if path else packaged("catalogue.json")
        models = msgspec.json.decode(raw, type=_CatalogueFile).models
    except OSError as error:
        raise ConfigError("SAYINGS_CATALOGUE", f"cannot be read ({error.strerror})") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError("SAYINGS_CATALOGUE", f"is not a valid catalogue: {error}") from error
    _check(models, vendors)
    return Catalogue(models)


def _check(models: list[Model], vendors: Container[str]) -> None:
    for field in ("id", "display_name"):
        names = [getattr(model, field) for model in models]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated:
            raise ConfigError("SAYINGS_CATALOGUE", f"has two models with the {field} {repeated!r}")
    for model in models:
        if model.vendor not in vendors:
            raise ConfigError("SAYINGS_CATALOGUE", f"model {model.id!r} has the unknown vendor {model.vendor!r}")
        if model.base_url and not is_http_url(model.base_url):
            raise ConfigError("SAYINGS_CATALOGUE", f"model {model.id!r} has the unusable base_url {model.base_url!r}")
        if model.key_parameter and not model.base_url:
            raise ConfigError("SAYINGS_CATALOGUE", f"model {model.id!r} has a key_parameter but no base_url")
        _check_dates(model)
    _check_seats({model.id: model for model in models})


def _check_dates(model: Model) -> None:
    days = [price.since for price in model.prices]
    if days != sorted(set(days)):
        raise ConfigError(
            "SAYINGS_CATALOGUE", f"model {model.id!r} has prices that are not in the order of their dates"
        )
    if model.arrives and model.retires and model.retires <= model.arrives:
        raise ConfigError("SAYINGS_CATALOGUE", f"model {model.id!r} retires before it arrives")


def _check_seats(models: Mapping[str, Model]) -> None:
    """One chain of successors for each seat, so that never two models want it at the same time."""
    heirs = [model.successor for model in models.values() if model.successor]
    for model in models.values():
        _check_successor(model, models)
    if repeated := next((heir for heir in heirs if heirs.count(heir) > 1), None):
        raise ConfigError("SAYINGS_CATALOGUE", f"model {repeated!r} is the successor of two models")
    firsts: dict[str, str] = {}
    for model in models.values():
        if model.seat and model.id not in heirs:
            other = firsts.setdefault(model.seat, model.id)
            if other != model.id:
                problem = f"models {other!r} and {model.id!r} are in the seat {model.seat!r} at the same time"
                raise ConfigError("SAYINGS_CATALOGUE", problem)
    for seat in {model.seat for model in models.values() if model.seat} - set(firsts):
        raise ConfigError("SAYINGS_CATALOGUE", f"the successors in the seat {seat!r} form a cycle")


def _check_successor(model: Model, models: Mapping[str, Model]) -> None:
    if model.successor is None:
        return
    heir = models.get(model.successor)
    if heir is None:
        raise ConfigError("SAYINGS_CATALOGUE", f"model {model.id!r} has the unknown successor {model.successor!r}")
    if model.seat is None or heir.seat != model.seat:
        raise ConfigError("SAYINGS_CATALOGUE", f"model {model.id!r} and its successor {heir.id!r} need the same seat")


def packaged(name: str) -> bytes:
    """The content of a data file that ships with the package."""
    return resources.files("service").joinpath("data", name).read_bytes()
