"""The one place where vendors are registered: a new vendor is a new file and one line here."""

from collections.abc import Mapping

from service.catalogue.models import Model
from service.llm.adapter import ModelAdapter
from service.llm.anthropic import AnthropicAdapter
from service.llm.openai import OpenAiAdapter

ADAPTERS: Mapping[str, type[ModelAdapter]] = {
    "anthropic": AnthropicAdapter,
    "openai": OpenAiAdapter,
}


class Adapters:
    """One adapter, and so one connection pool, for each endpoint; all of them the simulator's if its URL is given."""

    def __init__(self, simulator_url: str | None = None) -> None:
        self._simulator_url = simulator_url
        self._adapters: dict[tuple[str, str], ModelAdapter] = {}

    def of(self, model: Model) -> ModelAdapter:
        kind = ADAPTERS[model.vendor]
        base_url = model.base_url or kind.default_base_url
        if self._simulator_url is not None:
            base_url = self._simulator_url.rstrip("/") + kind.simulator_path
        endpoint = (model.vendor, base_url)  # one address may speak both vendors' protocols
        adapter = self._adapters.get(endpoint)
        if adapter is None:
            adapter = self._adapters[endpoint] = kind(base_url)
        return adapter

    async def close(self) -> None:
        for adapter in self._adapters.values():
            await adapter.close()
