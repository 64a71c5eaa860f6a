"""Who answers for the models: the vendors, for the models whose key is there, or the simulator."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from service.aws_clients import AwsClients
from service.catalogue import Catalogue, Model
from service.config import Settings
from service.keys import EnvironmentKeySource, FixedKeySource, KeySource, SsmKeySource

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
    if settings.simulator not in ("auto", "off"):
        return _simulated(catalogue, settings.simulator)
    if settings.keys == "ssm":
        return Vendors(SsmKeySource(await aws.ssm()), list(catalogue))
    keys = EnvironmentKeySource(environ, _variables(settings, catalogue))
    models = [model for model in catalogue if _has_key(model, settings, keys)]
    if models or settings.simulator == "off":
        return Vendors(keys, models)
    from service.simulator import Simulator  # only where it answers

    return _simulated(catalogue, await stack.enter_async_context(Simulator().serve()))


def key_names(settings: Settings) -> dict[str, str]:
    """The parameter that holds each vendor's key."""
    return {"anthropic": settings.claude_parameter_name, "openai": settings.openai_parameter_name}


def _simulated(catalogue: Catalogue, url: str) -> Vendors:
    """The simulator never gets to see a real key, and knows the vendors' models, not those of one's own endpoints."""
    return Vendors(FixedKeySource(SIMULATED_KEY), [model for model in catalogue if model.base_url is None], url)


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
