"""The vendors, one record each, and one adapter for each of their endpoints.

Everything that tells one vendor from another is in its record or behind its adapter. A new vendor is a record here, and
an adapter of its own unless it speaks a protocol that another vendor has brought along.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from service.catalogue.models import Model
from service.llm.adapter import ModelAdapter
from service.llm.anthropic import AnthropicAdapter
from service.llm.openai import OpenAiAdapter


@dataclass(frozen=True, slots=True)
class Vendor:
    """What the service has to know about a vendor.

    `name` is what the catalogue, the telemetry and the answers call it, `base_url` is where `adapter` finds it.
    On one machine its key is in the environment variable `key_variable`; elsewhere it is in a SecureString parameter,
    which `parameter_variable` names. `telltale` is a regular expression for the names by which its models would give
    themselves away in a saying, in any case. `dialect` is the protocol in which the simulator stands in for the vendor.
    """

    name: str
    adapter: type[ModelAdapter]
    base_url: str
    key_variable: str
    parameter_variable: str
    telltale: str
    dialect: str

    @property
    def default_parameter(self) -> str:
        """Under one path for all vendors, so that one policy covers them."""
        return f"/api-key/{self.name}"

    @property
    def simulator_path(self) -> str:
        """Where the simulator has the base URL of this vendor, below its own."""
        return f"/{self.name}{urlsplit(self.base_url).path}"


# The vendors by their names, in a fixed order.
Vendors = Mapping[str, Vendor]


def by_name(vendors: Iterable[Vendor]) -> Vendors:
    return MappingProxyType({vendor.name: vendor for vendor in vendors})


VENDORS = by_name(
    (
        Vendor(
            name="anthropic",
            adapter=AnthropicAdapter,
            base_url="https://api.anthropic.com",
            key_variable="ANTHROPIC_API_KEY",
            parameter_variable="CLAUDE_PARAMETER_NAME",
            telltale="claude|anthropic|haiku 4|sonnet 4",
            dialect="messages",
        ),
        Vendor(
            name="openai",
            adapter=OpenAiAdapter,
            base_url="https://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
            parameter_variable="OPENAI_PARAMETER_NAME",
            telltale=r"open ?ai|chat ?gpt|gpt(?:-?\d[\w.-]*)?",
            dialect="chat completions",
        ),
    )
)


def key_variables(vendors: Vendors) -> str:
    """The environment variables of which at least one must be set for a real model to answer, for a message."""
    return " or ".join(vendor.key_variable for vendor in vendors.values())


class Adapters:
    """One adapter, and so one connection pool, for each endpoint; all of them the simulator's if its URL is given."""

    def __init__(self, vendors: Vendors, simulator_url: str | None = None) -> None:
        self._vendors = vendors
        self._simulator_url = simulator_url
        self._adapters: dict[tuple[str, str], ModelAdapter] = {}

    def of(self, model: Model) -> ModelAdapter:
        vendor = self._vendors[model.vendor]
        base_url = model.base_url or vendor.base_url
        if self._simulator_url is not None:
            base_url = self._simulator_url.rstrip("/") + vendor.simulator_path
        endpoint = (vendor.name, base_url)  # one address may speak the protocols of several vendors
        adapter = self._adapters.get(endpoint)
        if adapter is None:
            adapter = self._adapters[endpoint] = vendor.adapter(base_url)
        return adapter

    async def close(self) -> None:
        for adapter in self._adapters.values():
            await adapter.close()
