"""The standard OTEL_* variables, which are read once, checked and frozen. docs/TELEMETRY.md lists them all.

The meaning of each is that of OpenTelemetry's specification. A value that cannot be honoured, and a variable that does
not exist or that this service does not support, end the start-up with one line. So none is ignored silently.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, cast
from urllib.parse import unquote, urlsplit

from telemetry.outbound import DIRECT, Outbound, SettingError

DEFAULT_SERVICE_NAME = "cloud-sayings"
# The share of traces that are kept where no sampler is chosen.
DEFAULT_SHARE = 0.05

TRACES_EXPORTERS = "opentelemetry_traces_exporter"
METRICS_EXPORTERS = "opentelemetry_metrics_exporter"
PROPAGATORS = "opentelemetry_propagator"

Protocol = Literal["grpc", "http/protobuf"]
Temporality = Literal["delta", "cumulative", "lowmemory"]
Aggregation = Literal["base2_exponential_bucket_histogram", "explicit_bucket_histogram"]
ExemplarFilter = Literal["trace_based", "always_on", "always_off"]
BaseSampler = Literal["always_on", "always_off", "traceidratio"]

T = TypeVar("T")

_PREFIX = "OTEL_"
# Variables of OpenTelemetry for Python, of instrumentations and of conventions, which are read by whoever they are for.
_OF_OTHERS = ("OTEL_PYTHON_", "OTEL_INSTRUMENTATION_", "OTEL_SEMCONV_")
# OpenTelemetry's operator for Kubernetes sets these, in order to refer to them in OTEL_RESOURCE_ATTRIBUTES.
_OF_THE_OPERATOR = frozenset(
    {"OTEL_NODE_IP", "OTEL_POD_IP", "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"}
)
_USED_ON_LAMBDA = frozenset(
    {
        "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
    }
)  # fmt: skip
_NO_LIMIT = "our log records have three short attributes, and no limits"
_NO_ZIPKIN = "there is no Zipkin exporter here: use OTLP"
_NO_PROMETHEUS = "Prometheus is not served here: send OTLP to it, with cumulative temporality"
_NO_FILE = "there is no configuration by file: use the variables"
REFUSED: Mapping[str, str] = {
    "OTEL_CONFIG_FILE": _NO_FILE,
    "OTEL_EXPERIMENTAL_CONFIG_FILE": _NO_FILE,
    "OTEL_ENTITIES": "entities are not supported: use OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_LOG_LEVEL": "the SDK's own messages are in the log from WARNING on: use SAYINGS_LOG_LEVEL",
    "OTEL_EXPORTER_OTLP_SPAN_INSECURE": "is obsolete: use OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_METRIC_INSECURE": "is obsolete: use OTEL_EXPORTER_OTLP_METRICS_INSECURE",
    **{f"OTEL_EXPORTER_ZIPKIN_{name}": _NO_ZIPKIN for name in ("ENDPOINT", "PROTOCOL", "TIMEOUT")},
    **{f"OTEL_EXPORTER_PROMETHEUS_{name}": _NO_PROMETHEUS for name in ("HOST", "PORT")},
    **{f"OTEL_LOGRECORD_ATTRIBUTE_{name}_LIMIT": _NO_LIMIT for name in ("COUNT", "VALUE_LENGTH")},
}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class OtelSettingError(SettingError):
    """A variable of OpenTelemetry that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Otlp:
    """Where and how one signal is sent. `endpoint` is complete; `timeout` is in seconds; file names may be empty."""

    endpoint: str
    protocol: Protocol
    headers: Mapping[str, str] = field(repr=False)  # they may hold a key
    timeout: float
    compression: Literal["none", "gzip"]
    certificate: str
    client_certificate: str
    client_key: str
    insecure: bool
    proxy: str = field(repr=False)  # it may hold a password


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How spans or log records are collected and sent, in seconds and numbers of them."""

    schedule_delay: float
    export_timeout: float
    max_queue_size: int
    max_export_batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a span holds at most; None stands for no limit."""

    attributes: int
    attribute_length: int | None
    span_attributes: int
    span_attribute_length: int | None
    event_attributes: int
    link_attributes: int
    events: int
    links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtelSettings:
    """Every variable's value. A signal without exporters is not collected; times are in seconds."""

    disabled: bool
    service_name: str
    resource_attributes: Mapping[str, str]
    sampler: BaseSampler
    follows_parents: bool
    share: float
    propagators: tuple[str, ...]
    traces_exporters: tuple[str, ...]
    metrics_exporters: tuple[str, ...]
    logs_exporters: tuple[str, ...]
    traces: Otlp
    metrics: Otlp
    logs: Otlp
    batching: Batching
    logs_batching: Batching
    metric_interval: float
    metric_timeout: float
    temporality: Temporality
    aggregation: Aggregation
    exemplar_filter: ExemplarFilter
    limits: Limits


def read_otel_settings(environ: Mapping[str, str], outbound: Outbound = DIRECT) -> OtelSettings:
    """Read the variables. Raises OtelSettingError, which names the first one that cannot be used.

    What is sent over OTLP goes the way of `outbound`. A signal's own certificate comes before its authorities.
    """
    variables = _Variables(environ)
    settings = _settings(variables, outbound)
    for name in sorted(environ):
        if environ[name] and name.startswith(_PREFIX):
            _refuse(name, variables.known)
    return settings


def without_effect_on_lambda(environ: Mapping[str, str]) -> list[str]:
    """The variables that are set, and that a function, which sends nothing over OTLP, does not use."""
    return sorted(name for name in honoured() - _USED_ON_LAMBDA if environ.get(name))


def honoured() -> frozenset[str]:
    """The names of the variables that are read."""
    variables = _Variables({})
    _settings(variables, DIRECT)
    return frozenset(variables.known)


def _refuse(name: str, known: set[str]) -> None:
    if name in REFUSED:
        raise OtelSettingError(name, REFUSED[name])
    if name not in known and name not in _OF_THE_OPERATOR and not name.startswith(_OF_OTHERS):
        raise OtelSettingError(name, "there is no such variable")


class _Variables:
    """Reads and checks values, and notes under which names. An empty value is the same as none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.known: set[str] = set()

    def text(self, name: str, default: str = "") -> str:
        self.known.add(name)
        value = self._environ.get(name) or default
        if value != value.strip() or not value.isprintable():
            problem = "has a line break, white space at an end or unprintable characters in it"
            raise OtelSettingError(name, problem)
        return value

    def choice(self, name: str, *choices: str) -> str:
        """One of the choices, of which the first is the default."""
        value = self.text(name, choices[0]).lower()
        if value not in choices:
            raise OtelSettingError(name, f"must be one of {', '.join(choices)}")
        return value

    def switch(self, name: str) -> bool:
        return self.choice(name, "false", "true") == "true"

    def number(self, name: str, default: int, *, least: int = 1) -> int:
        return self._number(name, default, int, least, 1_000_000_000)

    def limit(self, name: str) -> int | None:
        """A length, None where it is not limited."""
        return self.number(name, 0, least=0) if self.text(name) else None

    def share(self, name: str, default: float) -> float:
        return self._number(name, default, float, 0.0, 1.0)

    def seconds(self, name: str, default_ms: int) -> float:
        """A time that is given in milliseconds."""
        return self.number(name, default_ms) / 1000

    def listed(self, name: str, default: str = "") -> tuple[str, ...]:
        """Each name once, in order; empty for `none`."""
        found = tuple(dict.fromkeys(filter(None, map(str.strip, self.text(name, default).split(",")))))
        if "none" in found and len(found) > 1:
            raise OtelSettingError(name, "none stands alone")
        return () if found == ("none",) else found

    def pairs(self, name: str) -> dict[str, str]:
        """Names and values, percent-decoded. The error shows neither, because headers hold keys."""
        found = {}
        for pair in filter(None, map(str.strip, self.text(name).split(","))):
            key, equals, value = pair.partition("=")
            if not equals or not key.strip() or _BAD_ESCAPE.search(pair):
                raise OtelSettingError(name, "must be name=value pairs, percent-encoded and separated by commas")
            found[unquote(key.strip())] = unquote(value.strip())
        return found

    def file(self, name: str) -> str:
        path = self.text(name)
        if path and not Path(path).is_file():
            raise OtelSettingError(name, "there is no such file")
        return path

    def _number(self, name: str, default: T, parse: Callable[[str], T], least: float, most: float) -> T:
        raw = self.text(name, str(default))
        try:
            value = parse(raw)
        except ValueError:
            raise OtelSettingError(name, f"{raw!r} is not a number") from None
        if not least <= cast("float", value) <= most:
            raise OtelSettingError(name, f"{raw} is not between {least} and {most}")
        return value


def _settings(variables: _Variables, outbound: Outbound) -> OtelSettings:
    attributes = variables.pairs("OTEL_RESOURCE_ATTRIBUTES")
    named = variables.text("OTEL_SERVICE_NAME") or attributes.get("service.name") or DEFAULT_SERVICE_NAME
    variables.text("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS")  # the SDK reads it as it makes the resource
    sampler, follows_parents, share = _sampler(variables)
    return OtelSettings(
        disabled=variables.switch("OTEL_SDK_DISABLED"),
        service_name=named,
        resource_attributes=attributes | {"service.name": named},
        sampler=sampler,
        follows_parents=follows_parents,
        share=share,
        propagators=_propagators(variables),
        traces_exporters=_exporters(variables, "TRACES", TRACES_EXPORTERS),
        metrics_exporters=_exporters(variables, "METRICS", METRICS_EXPORTERS),
        logs_exporters=() if variables.choice("OTEL_LOGS_EXPORTER", "none", "otlp") == "none" else ("otlp",),
        traces=_otlp(variables, "TRACES", "v1/traces", outbound),
        metrics=_otlp(variables, "METRICS", "v1/metrics", outbound),
        logs=_otlp(variables, "LOGS", "v1/logs", outbound),
        batching=_batching(variables, "OTEL_BSP", delay_ms=50),
        logs_batching=_batching(variables, "OTEL_BLRP", delay_ms=1_000),
        # Twice as often as the SDK does by default, because alarms wait for metrics.
        metric_interval=variables.seconds("OTEL_METRIC_EXPORT_INTERVAL", 30_000),
        metric_timeout=variables.seconds("OTEL_METRIC_EXPORT_TIMEOUT", 30_000),
        # The collector's exporter to CloudWatch takes only deltas, and only exponential histograms give it percentiles.
        temporality=cast(
            "Temporality",
            variables.choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "cumulative", "lowmemory"),
        ),
        aggregation=cast(
            "Aggregation",
            variables.choice(
                "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                "base2_exponential_bucket_histogram",
                "explicit_bucket_histogram",
            ),
        ),
        exemplar_filter=cast(
            "ExemplarFilter",
            variables.choice("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based", "always_on", "always_off"),
        ),
        limits=_limits(variables),
    )


def _sampler(variables: _Variables) -> tuple[BaseSampler, bool, float]:
    """The sampler, whether it follows its parents, and the share of traces that it keeps."""
    name, argument = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
    bases = ("traceidratio", "always_on", "always_off")
    chosen = variables.text(name)
    value = variables.choice(name, "parentbased_traceidratio", *bases, *(f"parentbased_{base}" for base in bases[1:]))
    base = cast("BaseSampler", value.removeprefix("parentbased_"))
    share = variables.share(argument, 1.0 if chosen else DEFAULT_SHARE)
    if base != "traceidratio":
        if variables.text(argument):
            raise OtelSettingError(argument, f"the sampler {value} takes no argument")
        share = 1.0 if base == "always_on" else 0.0
    return base, value != base, share


def _propagators(variables: _Variables) -> tuple[str, ...]:
    names = variables.listed("OTEL_PROPAGATORS", "tracecontext,baggage")
    for name in names:
        if name != "xray":
            _require(variables, "OTEL_PROPAGATORS", PROPAGATORS, name)
    return names


def _exporters(variables: _Variables, signal: str, group: str) -> tuple[str, ...]:
    """The names of a signal's exporters: OTLP where an endpoint is set, none by default."""
    variable = f"OTEL_{signal}_EXPORTER"
    endpoint = variables.text(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or variables.text("OTEL_EXPORTER_OTLP_ENDPOINT")
    names = variables.listed(variable, "otlp" if endpoint else "none")
    for name in names:
        if name == "prometheus":
            raise OtelSettingError(variable, _NO_PROMETHEUS)
        if name not in ("otlp", "console"):
            _require(variables, variable, group, name)
    return names


def _require(variables: _Variables, variable: str, group: str, name: str) -> None:
    if not variables.text(variable):
        return  # it is a default, which is always there
    from importlib.metadata import entry_points  # imported here, because it is as large as all the rest of this

    if not entry_points(group=group, name=name):
        raise OtelSettingError(variable, f"{name!r} is unknown, and no installed package provides it")


def _otlp(variables: _Variables, signal: str, path: str, outbound: Outbound) -> Otlp:
    """The settings of a signal, each its own or else the one for all signals."""

    def own(part: str) -> str:
        """The variable that holds: the signal's own if it is set."""
        name = f"OTEL_EXPORTER_OTLP_{signal}_{part}"
        variables.known.add(f"OTEL_EXPORTER_OTLP_{part}")
        return name if variables.text(name) else f"OTEL_EXPORTER_OTLP_{part}"

    protocol = cast("Protocol", variables.choice(own("PROTOCOL"), "http/protobuf", "grpc"))
    endpoint = _endpoint(variables, own("ENDPOINT"), protocol, path)
    certificate, key = variables.file(own("CLIENT_CERTIFICATE")), variables.file(own("CLIENT_KEY"))
    if key and not certificate:
        raise OtelSettingError(own("CLIENT_KEY"), "needs a client certificate, too")
    scheme, without_tls = urlsplit(endpoint).scheme, variables.switch(own("INSECURE"))
    is_insecure = scheme == "http" or (scheme != "https" and without_tls)
    return Otlp(
        endpoint=endpoint,
        protocol=protocol,
        headers=_headers(variables, own("HEADERS")),
        timeout=variables.seconds(own("TIMEOUT"), 10_000),
        compression=cast("Literal['none', 'gzip']", variables.choice(own("COMPRESSION"), "none", "gzip")),
        certificate=variables.file(own("CERTIFICATE")) or outbound.authorities,
        client_certificate=certificate,
        client_key=key,
        insecure=is_insecure,
        proxy="" if is_insecure else outbound.proxy_for(endpoint if scheme == "https" else f"https://{endpoint}"),
    )


def _endpoint(variables: _Variables, variable: str, protocol: Protocol, path: str) -> str:
    """The address of a signal. One for all signals is that of the collector, to which HTTP adds the signal's path."""
    endpoint = variables.text(variable)
    if not endpoint:
        return "http://localhost:4317" if protocol == "grpc" else f"http://localhost:4318/{path}"
    if not _is_url(endpoint) and not (protocol == "grpc" and _is_url(f"http://{endpoint}")):
        raise OtelSettingError(variable, f"{endpoint!r} is not a URL")
    if protocol == "grpc" or variable != "OTEL_EXPORTER_OTLP_ENDPOINT":
        return endpoint
    return f"{endpoint.rstrip('/')}/{path}"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in text
    except ValueError:
        return False


def _headers(variables: _Variables, variable: str) -> dict[str, str]:
    headers = {name.lower(): value for name, value in variables.pairs(variable).items()}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise OtelSettingError(variable, "one of the pairs is not usable as a header")
    return headers


def _batching(variables: _Variables, prefix: str, *, delay_ms: int) -> Batching:
    queue = variables.number(f"{prefix}_MAX_QUEUE_SIZE", 2048)
    # Requests wait while a batch is encoded, so that large ones would delay them, but a post for each span costs more.
    batch = variables.number(f"{prefix}_MAX_EXPORT_BATCH_SIZE", min(128, queue))
    if batch > queue:
        raise OtelSettingError(f"{prefix}_MAX_EXPORT_BATCH_SIZE", f"is greater than the queue's size, {queue}")
    return Batching(
        schedule_delay=variables.seconds(f"{prefix}_SCHEDULE_DELAY", delay_ms),
        export_timeout=variables.seconds(f"{prefix}_EXPORT_TIMEOUT", 30_000),
        max_queue_size=queue,
        max_export_batch_size=batch,
    )


def _limits(variables: _Variables) -> Limits:
    count, length = "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
    attributes, attribute_length = variables.number(count, 128, least=0), variables.limit(length)
    own_length = variables.limit("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")
    return Limits(
        attributes=attributes,
        attribute_length=attribute_length,
        span_attributes=variables.number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", attributes, least=0),
        span_attribute_length=attribute_length if own_length is None else own_length,
        event_attributes=variables.number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", attributes, least=0),
        link_attributes=variables.number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", attributes, least=0),
        events=variables.number("OTEL_SPAN_EVENT_COUNT_LIMIT", 128, least=0),
        links=variables.number("OTEL_SPAN_LINK_COUNT_LIMIT", 128, least=0),
    )
