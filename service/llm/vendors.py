"""The vendors, with one record each, and one adapter for each of their endpoints.

Everything that differs between vendors is in their records or behind their adapters. A new vendor needs a record here,
and an adapter of its own unless an existing adapter speaks its protocol.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from service.catalogue.models import Model
from service.llm.adapter import ModelAdapter
from service.llm.anthropic import AnthropicAdapter
from service.llm.openai import OpenAiAdapter
from telemetry.outbound import DIRECT, Outbound


@dataclass(frozen=True, slots=True)
class Vendor:
    """What the service has to know about a vendor.

    `name` is its name in the catalogue, the telemetry and the responses. `adapter` sends its requests to `base_url`.
    On one machine its key is in the environment variable `key_variable`; elsewhere it is in a SecureString parameter,
    whose name is in the environment variable `parameter_variable`. `telltale` is a case-insensitive regular expression
    for the names by which its models would reveal themselves in a saying. `dialect` is the protocol in which the
    simulator stands in for the vendor.
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
        """The default name of the key parameter. All vendors share one path, so that one policy covers them."""
        return f"/api-key/{self.name}"

    @property
    def simulator_path(self) -> str:
        """The path below the simulator's base URL at which it simulates this vendor's base URL."""
        return f"/{self.name}{urlsplit(self.base_url).path}"


# The vendors by name, in a fixed order.
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
            telltale=r"open[ -]?ai|chat ?gpt|gpt(?:-?\d[\w.-]*)?",
            dialect="chat completions",
        ),
    )
)


def key_variables(vendors: Vendors) -> str:
    """The vendors' key variables as text for a message; without any of them, no real model can be called."""
    return " or ".join(vendor.key_variable for vendor in vendors.values())


class Adapters:
    """One adapter, and so one connection pool, for each endpoint.

    If `simulator_url` is given, all adapters connect to the simulator.
    """

    def __init__(self, vendors: Vendors, simulator_url: str | None = None, *, outbound: Outbound = DIRECT) -> None:
        self._vendors = vendors
        self._outbound = outbound
        self._simulator_url = simulator_url
        self._adapters: dict[tuple[str, str], ModelAdapter] = {}

    def of(self, model: Model) -> ModelAdapter:
        vendor, base_url = self._vendors[model.vendor], self.base_url(model)
        endpoint = (vendor.name, base_url)  # one server may speak the protocols of several vendors
        adapter = self._adapters.get(endpoint)
        if adapter is None:
            adapter = self._adapters[endpoint] = vendor.adapter(base_url, self._outbound)
        return adapter

    def base_url(self, model: Model) -> str:
        vendor = self._vendors[model.vendor]
        if self._simulator_url is not None:
            return self._simulator_url.rstrip("/") + vendor.simulator_path
        return model.base_url or vendor.base_url

    async def close(self) -> None:
        for adapter in self._adapters.values():
            await adapter.close()
