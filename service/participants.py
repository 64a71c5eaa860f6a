"""Which models take part and what serves them: the vendors, for models that have a key, or the simulator."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from service.aws.clients import AwsClients
from service.catalogue.models import Catalogue, Model
from service.config import OPERATOR_KEY_VARIABLE, Settings
from service.errors import ConfigError
from service.keys.sources import EnvironmentKeySource, FixedKeySource, KeySource, PrefixedKeySource, SsmKeySource
from service.llm.vendors import Vendors

SIMULATED_KEY = "sk-simulated"


@dataclass(frozen=True, slots=True)
class Participants:
    """The models that have a key, the source of their keys, and the simulator's URL if it stands in for the vendors."""

    models: Sequence[Model]
    keys: KeySource
    simulator_url: str | None = None

    @property
    def simulated(self) -> bool:
        return self.simulator_url is not None


async def open_participants(
    settings: Settings,
    environ: Mapping[str, str],
    catalogue: Catalogue,
    vendors: Vendors,
    aws: AwsClients,
    stack: AsyncExitStack,
) -> Participants:
    """Choose the models by the settings and the available keys.

    Starts the simulator in this process when no model has a key and the settings allow it. Raises ConfigError.
    """
    elsewhere = settings.simulator not in ("auto", "off")
    if settings.keys == "ssm":
        in_ssm = SsmKeySource(await aws.ssm())
        if elsewhere:
            return _simulated(catalogue, settings.simulator, PrefixedKeySource(in_ssm, SIMULATED_KEY))
        return Participants(list(catalogue), in_ssm)
    if elsewhere:
        return _simulated(catalogue, settings.simulator, FixedKeySource(SIMULATED_KEY))
    keys = EnvironmentKeySource(environ, _variables(settings, catalogue, vendors))
    models = [model for model in catalogue if _has_key(model, settings, keys)]
    if models or settings.simulator == "off":
        return Participants(models, keys)
    from service.simulator import Simulator  # a process that uses the real vendors does not need it

    url = await stack.enter_async_context(Simulator(vendors, catalogue).serve())
    return _simulated(catalogue, url, FixedKeySource(SIMULATED_KEY))


async def open_operator_keys(
    settings: Settings, environ: Mapping[str, str], aws: AwsClients
) -> tuple[KeySource, str] | None:
    """The source of the operators' key and the key's name in it, or None when there is no such key.

    It is a source of its own, because the simulator has one key for every name. Raises ConfigError.
    """
    if OPERATOR_KEY_VARIABLE in environ and settings.keys == "ssm":
        raise ConfigError(OPERATOR_KEY_VARIABLE, "is not read with SAYINGS_KEYS=ssm")
    if settings.operator_key_parameter:
        return SsmKeySource(await aws.ssm()), settings.operator_key_parameter
    if OPERATOR_KEY_VARIABLE not in environ:
        return None
    return EnvironmentKeySource(environ, {OPERATOR_KEY_VARIABLE: OPERATOR_KEY_VARIABLE}), OPERATOR_KEY_VARIABLE


def _simulated(catalogue: Catalogue, url: str, keys: KeySource) -> Participants:
    """The simulator answers for every model of the catalogue, also for those with an endpoint of their own.

    It never gets a real key.
    """
    return Participants(list(catalogue), keys, url)


def _variables(settings: Settings, catalogue: Catalogue, vendors: Vendors) -> dict[str, str]:
    """The environment variable that replaces each key parameter.

    For a model with an endpoint of its own, `key_parameter` is the name of the variable itself.
    """
    own = {model.key_parameter: model.key_parameter for model in catalogue if model.key_parameter}
    return own | {settings.key_parameters[name]: vendor.key_variable for name, vendor in vendors.items()}


def _has_key(model: Model, settings: Settings, keys: EnvironmentKeySource) -> bool:
    name = model.key_parameter if model.base_url else settings.key_parameters[model.vendor]
    return name is None or name in keys
