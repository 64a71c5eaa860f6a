"""Who answers for the models: the vendors, for the models whose key is there, or the simulator."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from service.aws.clients import AwsClients
from service.catalogue.models import Catalogue, Model
from service.config import Settings
from service.keys.sources import EnvironmentKeySource, FixedKeySource, KeySource, PrefixedKeySource, SsmKeySource

SIMULATED_KEY = "sk-simulated"


@dataclass(frozen=True, slots=True)
class Vendors:
    """Where keys come from, which models take part, and the simulator's URL if it answers for them."""

    keys: KeySource
    models: Sequence[Model]
    simulator_url: str | None = None

    @property
    def simulated(self) -> bool:
        return self.simulator_url is not None


async def open_vendors(
    settings: Settings, environ: Mapping[str, str], catalogue: Catalogue, aws: AwsClients, stack: AsyncExitStack
) -> Vendors:
    """By the settings and the keys at hand; starts the simulator in this process when it is the one to answer."""
    elsewhere = settings.simulator not in ("auto", "off")
    if settings.keys == "ssm":
        in_ssm = SsmKeySource(await aws.ssm())
        if elsewhere:
            return _simulated(catalogue, settings.simulator, PrefixedKeySource(in_ssm, SIMULATED_KEY))
        return Vendors(in_ssm, list(catalogue))
    if elsewhere:
        return _simulated(catalogue, settings.simulator, FixedKeySource(SIMULATED_KEY))
    keys = EnvironmentKeySource(environ, _variables(settings, catalogue))
    models = [model for model in catalogue if _has_key(model, settings, keys)]
    if models or settings.simulator == "off":
        return Vendors(keys, models)
    from service.simulator import Simulator  # only where it answers

    url = await stack.enter_async_context(Simulator().serve())
    return _simulated(catalogue, url, FixedKeySource(SIMULATED_KEY))


def key_names(settings: Settings) -> dict[str, str]:
    """The parameter that holds each vendor's key."""
    return {"anthropic": settings.claude_parameter_name, "openai": settings.openai_parameter_name}


def _simulated(catalogue: Catalogue, url: str, keys: KeySource) -> Vendors:
    """The simulator never gets to see a real key, and knows the vendors' models, not those of one's own endpoints."""
    return Vendors(keys, [model for model in catalogue if model.base_url is None], url)


def _variables(settings: Settings, catalogue: Catalogue) -> dict[str, str]:
    """Which variable stands in for each parameter; an endpoint of one's own names its variable itself."""
    own = {model.key_parameter: model.key_parameter for model in catalogue if model.key_parameter}
    return own | {
        settings.claude_parameter_name: "ANTHROPIC_API_KEY",
        settings.openai_parameter_name: "OPENAI_API_KEY",
    }


def _has_key(model: Model, settings: Settings, keys: EnvironmentKeySource) -> bool:
    name = model.key_parameter if model.base_url else key_names(settings)[model.vendor]
    return name is None or name in keys
