"""The settings, which are read once from the environment, checked and frozen.

An invalid setting ends the start-up with one line that names its variable.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from service.domain import SLOTS
from service.errors import ConfigError
from service.limits import DEFAULT_LIMITS, DEFAULT_QUOTAS, DEFAULT_TIMEOUTS, Limits, Quotas, Rate, RateClass, Timeouts
from service.llm.vendors import VENDORS, Vendor, Vendors
from service.urls import is_http_url
from telemetry.otel_settings import read_otel_settings
from telemetry.outbound import DIRECT, PROXY_VARIABLE, Outbound, SettingError, read_outbound

PREFIX = "SAYINGS_"

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Dollars = Annotated[float, Meta(gt=0, le=1_000_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Connections = Annotated[int, Meta(ge=1, le=1_000_000)]
LiveCallCount = Annotated[int, Meta(ge=len(SLOTS), le=10_000)]  # a comparison calls a model for every slot at once
PortNumber = Annotated[int, Meta(ge=0, le=65_535)]
Host = Annotated[str, Meta(min_length=1)]  # with an empty host the server would listen on every address
Switch = Literal["on", "off"]

# Browsers send an origin in lower case and without a path.
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.\-/:]{1,2048}")  # a parameter's name or its ARN
LAMBDA_ROUNDS = "lambda:"
_WORKER = re.compile(r"lambda:[A-Za-z0-9_:-]{1,170}")  # a function's name or its ARN
_DIGESTS = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64})*")  # of SHA-256
_REGION = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting with its default. A setting's variable is the field's name in capitals, prefixed with SAYINGS_."""

    host: Host = "127.0.0.1"
    port: PortNumber = 8080
    store: str = ""
    keys: Literal["environment", "ssm"] = "environment"
    operator_key_parameter: str = ""
    simulator: str = "auto"
    catalogue: str = ""
    line_up: str = ""
    rounds: str = "in-process"
    round_interval_seconds: Seconds = 900
    last_resort: Switch = "on"
    live_every: Count = 0
    daily_cap_usd: Dollars = 5.0
    hourly_cap_usd: Dollars = 1.0
    key_ttl_seconds: Seconds = 300
    pool_ttl_seconds: Seconds = 21_600
    max_live_calls: LiveCallCount = 16
    vote_rate: str = "60/minute"
    compare_rate: str = "10/minute"
    read_rate: str = "off"
    max_connections: Connections = 450  # twice that many fit into 1,024 file descriptors, a common limit of a process
    connections_per_address: Connections = 64
    address_votes: Annotated[int, Meta(ge=1, le=1_000_000_000)] = DEFAULT_QUOTAS.address_votes
    allowed_origins: str = ""
    public_url: str = ""
    trusted_proxies: Annotated[int, Meta(ge=0, le=10)] = 0
    origin_secret_sha256: str = ""
    trace: Switch = "off"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    aws_region: str = ""  # it has no prefix, because the AWS SDKs name it so

    # The name of the parameter that holds each vendor's key, by the vendor's name. The variables that set these names
    # are in the vendors' records.
    key_parameters: Mapping[str, str] = MappingProxyType(
        {vendor.name: vendor.default_parameter for vendor in VENDORS.values()}
    )

    # From SAYINGS_HTTPS_PROXY, which may hold a password, and SSL_CERT_FILE.
    outbound: Outbound = DIRECT

    # These have no variable, because operators do not need to set them; tests construct their own.
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    limits: Limits = DEFAULT_LIMITS

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(filter(None, map(str.strip, self.allowed_origins.split(","))))

    @property
    def chosen_models(self) -> tuple[str, ...]:
        """The ids of the models that the operator wants in the line-up; empty where the dates decide."""
        return tuple(filter(None, map(str.strip, self.line_up.split(","))))

    @property
    def rates(self) -> dict[RateClass, Rate]:
        """The rate of each class of requests that is limited; it applies to one client address at a time."""
        chosen = {limit: Rate.parse(getattr(self, f"{limit}_rate")) for limit in RateClass}
        return {limit: rate for limit, rate in chosen.items() if rate is not None}

    @property
    def origin_secret_digests(self) -> tuple[bytes, ...]:
        return tuple(map(bytes.fromhex, filter(None, self.origin_secret_sha256.split(","))))

    @property
    def quotas(self) -> Quotas:
        return Quotas(address_votes=self.address_votes)

    @property
    def worker_function(self) -> str | None:
        """The name or ARN of the Lambda function that runs rounds for this process; None without such a function."""
        return self.rounds.removeprefix(LAMBDA_ROUNDS) if self.rounds.startswith(LAMBDA_ROUNDS) else None

    @property
    def uses_aws(self) -> bool:
        return self.keys == "ssm" or self.store.startswith("dynamodb:") or self.worker_function is not None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], vendors: Vendors = VENDORS) -> "Settings":
        """Read the settings. Raises ConfigError, which names the first variable that cannot be used."""
        values = {
            field.name: _value(variable, environ[variable], field.type)
            for variable, field in _fields().items()
            if variable in environ
        }
        if not values.get("aws_region"):
            values["aws_region"] = environ.get("AWS_DEFAULT_REGION", "")
        _refuse_unknown(environ)
        with _translated_errors():
            outbound = read_outbound(environ)
            read_otel_settings(environ)  # so that every command reports a mistake in OpenTelemetry's variables
        settings = cls(**values, key_parameters=_key_parameters(environ, vendors), outbound=outbound)
        _check(settings)
        return settings


# The operators' key itself, where keys come from the environment. No field holds it, as none holds a vendor's key.
OPERATOR_KEY_VARIABLE = "SAYINGS_OPERATOR_KEY"
_UNPREFIXED = frozenset({"aws_region"})
_WITHOUT_VARIABLE = frozenset({"key_parameters", "outbound", "timeouts", "limits"})


def _fields() -> dict[str, msgspec.structs.FieldInfo]:
    """The fields that can be set from the environment, by the name of their variable."""
    fields = msgspec.structs.fields(Settings)
    return {_variable(field.name): field for field in fields if field.name not in _WITHOUT_VARIABLE}


def _variable(field: str) -> str:
    return field.upper() if field in _UNPREFIXED else PREFIX + field.upper()


def _value(variable: str, raw: str, type_: Any) -> Any:
    if raw != raw.strip() or not raw.isprintable():
        raise ConfigError(variable, "has a line break, white space at an end or unprintable characters in it")
    if get_origin(type_) is Literal and raw not in get_args(type_):
        raise ConfigError(variable, f"must be one of {', '.join(get_args(type_))}")
    try:
        return msgspec.convert(raw, type_, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(variable, f"{raw!r} is not usable: {error}") from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {*_fields(), OPERATOR_KEY_VARIABLE, PROXY_VARIABLE}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise ConfigError(unknown[0], "there is no such setting")


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except SettingError as error:
        raise ConfigError(error.variable, error.problem) from None


def _check(settings: Settings) -> None:
    _check_rates(settings)
    _check_operator_key(settings)
    _check_origins(settings)
    _check_origin_secret(settings)
    if settings.simulator not in ("auto", "off") and not is_http_url(settings.simulator):
        raise ConfigError("SAYINGS_SIMULATOR", f"{settings.simulator!r} is none of auto, off or a URL")
    if settings.rounds not in ("in-process", "off") and not _WORKER.fullmatch(settings.rounds):
        problem = f"{settings.rounds!r} is none of in-process, off or lambda:<function>"
        raise ConfigError("SAYINGS_ROUNDS", problem)
    if settings.uses_aws and not _REGION.fullmatch(settings.aws_region):
        raise ConfigError("AWS_REGION", "a region such as eu-west-1 is needed for DynamoDB and SSM")


def _check_origins(settings: Settings) -> None:
    found = {("SAYINGS_ALLOWED_ORIGINS", origin) for origin in settings.origins}
    found |= {("SAYINGS_PUBLIC_URL", settings.public_url)} if settings.public_url else set()
    for variable, origin in found:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(variable, f"{origin!r} is not an origin such as https://example.com")
    for origin in sorted(settings.origins):
        if settings.public_url.startswith("http://") and _are_surely_two_sites(origin, settings.public_url):
            problem = f"{origin} is another site than SAYINGS_PUBLIC_URL, and browsers keep its cookies only over HTTPS"
            raise ConfigError("SAYINGS_ALLOWED_ORIGINS", problem)


def _are_surely_two_sites(one: str, other: str) -> bool:
    """Whether two origins certainly belong to two sites, for which a browser keeps cookies apart.

    A site is a scheme and a domain that somebody has registered, which has two labels or more. How many it has only a
    list of all suffixes tells, such as that of browsers, so that `a.co.uk` and `b.co.uk` may be one site here.
    """

    def site(origin: str) -> tuple[str, list[str]]:
        scheme, _, rest = origin.partition("://")
        return scheme, re.sub(r":[0-9]+$", "", rest).split(".")[-2:]

    return site(one) != site(other)


def _check_origin_secret(settings: Settings) -> None:
    """Refuse what is not digests, without repeating it, because it may be the secret itself."""
    if settings.origin_secret_sha256 and not _DIGESTS.fullmatch(settings.origin_secret_sha256):
        problem = "is not one or more SHA-256 digests of 64 hexadecimal digits in lower case, separated by commas"
        raise ConfigError(_variable("origin_secret_sha256"), problem)


def _check_operator_key(settings: Settings) -> None:
    variable, parameter = _variable("operator_key_parameter"), settings.operator_key_parameter
    if parameter and not _PARAMETER_NAME.fullmatch(parameter):
        raise ConfigError(variable, "is not a parameter name")
    if parameter and settings.keys != "ssm":
        raise ConfigError(variable, f"needs SAYINGS_KEYS=ssm; without that, set {OPERATOR_KEY_VARIABLE} to the key")


def _key_parameters(environ: Mapping[str, str], vendors: Vendors) -> Mapping[str, str]:
    """The name of each vendor's key parameter, by the vendor's name.

    Raises ConfigError for an invalid name, or when two vendors share a parameter, because one vendor would get the
    other's key.
    """
    owners: dict[str, Vendor] = {}
    for vendor in vendors.values():
        variable = vendor.parameter_variable
        parameter: str = _value(variable, environ.get(variable, vendor.default_parameter), str)
        if not _PARAMETER_NAME.fullmatch(parameter):
            raise ConfigError(variable, "is not a parameter name")
        if parameter in owners:
            raise ConfigError(variable, f"is the same as {owners[parameter].parameter_variable}")
        owners[parameter] = vendor
    return MappingProxyType({vendor.name: parameter for parameter, vendor in owners.items()})


def _check_rates(settings: Settings) -> None:
    for limit in RateClass:
        field = f"{limit}_rate"
        try:
            Rate.parse(getattr(settings, field))
        except ValueError as error:
            raise ConfigError(_variable(field), str(error)) from None
