"""Every standard variable is honoured or refused, and the document says which."""

import re
from pathlib import Path
from typing import Any

import pytest

from telemetry.lambda_setup import open_lambda_telemetry
from telemetry.otel_settings import REFUSED, OtelSettingError, OtelSettings, honoured, read_otel_settings
from tests.logging_capture import captured_log

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(OTEL_\w+)` \| (honoured|refused) \|", re.MULTILINE)
FILE = str(Path(__file__))
SIGNALS = ("traces", "metrics", "logs")


def table() -> list[tuple[str, str]]:
    return ROW.findall((ROOT / "docs/TELEMETRY.md").read_text())


def value(settings: OtelSettings, path: str) -> Any:
    found: Any = settings
    for name in path.split("."):
        found = getattr(found, name)
    return found


# Each variable, a value for it, where its value is read, and what is read there.
PLAIN = [
    ("OTEL_SDK_DISABLED", "TRUE", "disabled", True),
    ("OTEL_SERVICE_NAME", "api", "service_name", "api"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=b%2Cc, d = caf%C3%A9", "resource_attributes.items", {"a": "b,c", "d": "café"}),
    ("OTEL_PROPAGATORS", "xray,baggage,xray", "propagators", ("xray", "baggage")),
    ("OTEL_TRACES_SAMPLER", "always_on", "share", 1.0),
    ("OTEL_TRACES_SAMPLER_ARG", "0.25", "share", 0.25),
    ("OTEL_TRACES_EXPORTER", "otlp, console", "traces_exporters", ("otlp", "console")),
    ("OTEL_METRICS_EXPORTER", "console", "metrics_exporters", ("console",)),
    ("OTEL_METRIC_EXPORT_INTERVAL", "1500", "metric_interval", 1.5),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "1500", "metric_timeout", 1.5),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "Always_Off", "exemplar_filter", "always_off"),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Cumulative", "temporality", "cumulative"),
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram",
        "aggregation",
        "explicit_bucket_histogram",
    ),
    ("OTEL_BSP_SCHEDULE_DELAY", "250", "batching.schedule_delay", 0.25),
    ("OTEL_BSP_EXPORT_TIMEOUT", "250", "batching.export_timeout", 0.25),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "64", "batching.max_queue_size", 64),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64", "batching.max_export_batch_size", 64),
    ("OTEL_LOGS_EXPORTER", "otlp", "logs_exporters", ("otlp",)),
    ("OTEL_BLRP_SCHEDULE_DELAY", "250", "logs_batching.schedule_delay", 0.25),
    ("OTEL_BLRP_EXPORT_TIMEOUT", "250", "logs_batching.export_timeout", 0.25),
    ("OTEL_BLRP_MAX_QUEUE_SIZE", "64", "logs_batching.max_queue_size", 64),
    ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "64", "logs_batching.max_export_batch_size", 64),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7", "limits.span_attributes", 7),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", "limits.span_attribute_length", 7),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0", "limits.span_attributes", 0),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0", "limits.span_attribute_length", 0),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "7", "limits.events", 7),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "7", "limits.links", 7),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "7", "limits.event_attributes", 7),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "7", "limits.link_attributes", 7),
]
OTLP = [
    ("PROTOCOL", "GRPC", "protocol", "grpc"),
    ("HEADERS", "Api-Key=a%3Db,other=c", "headers", {"api-key": "a=b", "other": "c"}),
    ("TIMEOUT", "250", "timeout", 0.25),
    ("COMPRESSION", "gzip", "compression", "gzip"),
    ("CERTIFICATE", FILE, "certificate", FILE),
    ("CLIENT_CERTIFICATE", FILE, "client_certificate", FILE),
]
WHOSE = ("", "TRACES_", "METRICS_", "LOGS_")
# What is seen over the wire (test_otel_wire.py) or needs others beside it (below).
ELSEWHERE = {
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    *(f"OTEL_EXPORTER_OTLP_{who}{what}" for who in WHOSE for what in ("ENDPOINT", "INSECURE")),
    *(f"OTEL_EXPORTER_OTLP_{who}CLIENT_KEY" for who in WHOSE),
}


def test_the_document_lists_every_variable_and_what_becomes_of_it() -> None:
    expected = dict.fromkeys(honoured(), "honoured") | dict.fromkeys(REFUSED, "refused")

    listed = table()

    assert dict(listed) == expected
    assert len(listed) == len(expected)


def test_every_honoured_variable_has_its_test() -> None:
    tested = {name for name, *_ in PLAIN} | {f"OTEL_EXPORTER_OTLP_{who}{name}" for name, *_ in OTLP for who in WHOSE}

    assert tested | ELSEWHERE == honoured()


@pytest.mark.parametrize(("variable", "text", "path", "expected"), PLAIN)
def test_a_variable_is_honoured(variable: str, text: str, path: str, expected: Any) -> None:
    without, found = (value(read_otel_settings(environ), path) for environ in ({}, {variable: text}))

    if callable(found):
        found, without = dict(found()), dict(without())
        del found["service.name"], without["service.name"]
    assert found == expected
    assert without != expected


@pytest.mark.parametrize(("name", "text", "field", "expected"), OTLP)
def test_a_variable_of_otlp_is_honoured_for_all_signals_or_one(
    name: str, text: str, field: str, expected: object
) -> None:
    for_all = read_otel_settings({f"OTEL_EXPORTER_OTLP_{name}": text})
    for_traces = read_otel_settings({f"OTEL_EXPORTER_OTLP_TRACES_{name}": text})
    for_metrics = read_otel_settings({f"OTEL_EXPORTER_OTLP_METRICS_{name}": text})
    for_logs = read_otel_settings({f"OTEL_EXPORTER_OTLP_LOGS_{name}": text})
    nothing = read_otel_settings({})

    def read(settings: OtelSettings) -> list[object]:
        return [value(settings, f"{signal}.{field}") for signal in SIGNALS]

    (default, *_) = read(nothing)
    assert default != expected
    assert [read(settings) for settings in (for_all, for_traces, for_metrics, for_logs)] == [
        [expected, expected, expected],
        [expected, default, default],
        [default, expected, default],
        [default, default, expected],
    ]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_variable_is_refused(name: str) -> None:
    with pytest.raises(OtelSettingError, match=f"^{name}: .+") as raised:
        read_otel_settings({name: "1"})

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["OTEL_TRACE_SAMPLER", "OTEL_EXPORTER_OTLP_TRACE_ENDPOINT", "OTEL_", "OTEL_PYTHONPATH", "OTEL_service_name"]
)
def test_a_misspelt_variable_is_refused(name: str) -> None:
    with pytest.raises(OtelSettingError, match=f"^{name}: there is no such variable$"):
        read_otel_settings({name: "1"})


def test_variables_of_others_and_empty_ones_are_left_alone() -> None:
    environ = {
        "OTEL_PYTHON_LOG_CORRELATION": "true",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_RESOURCE_ATTRIBUTES_POD_NAME": "a-pod",
        "PATH": "/bin",
    }

    assert read_otel_settings(environ | dict.fromkeys([*honoured(), *REFUSED], "")) == read_otel_settings({})


BAD = [
    ("OTEL_SDK_DISABLED", "yes"),
    ("OTEL_SERVICE_NAME", "two\nlines"),
    *[("OTEL_RESOURCE_ATTRIBUTES", bad) for bad in ("junk", "a=b,=c", "a=%zz", "a=b,junk")],
    *[("OTEL_PROPAGATORS", bad) for bad in ("b4", "none,baggage", "tracecontext;baggage")],
    *[("OTEL_TRACES_SAMPLER", bad) for bad in ("xray", "jaeger_remote", "parentbased_jaeger_remote", "always")],
    *[("OTEL_TRACES_SAMPLER_ARG", bad) for bad in ("much", "nan", "inf", "-1", "5", "0,5")],
    *[("OTEL_TRACES_EXPORTER", bad) for bad in ("zipkin", "none,otlp", "otlp/stdout", "OTLP")],
    *[("OTEL_METRICS_EXPORTER", bad) for bad in ("prometheus", "logging")],
    *[("OTEL_LOGS_EXPORTER", bad) for bad in ("console", "otlp,none")],
    *[("OTEL_EXPORTER_OTLP_ENDPOINT", bad) for bad in ("localhost:4317", "ftp://host", "http://", "http://host:port")],
    *[("OTEL_EXPORTER_OTLP_PROTOCOL", bad) for bad in ("http/json", "udp")],
    *[("OTEL_EXPORTER_OTLP_TRACES_HEADERS", bad) for bad in ("a secret", "a b=secret", "a=secret%0A")],
    *[("OTEL_EXPORTER_OTLP_TIMEOUT", bad) for bad in ("0", "-1", "soon", "1.5")],
    ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd"),
    ("OTEL_EXPORTER_OTLP_INSECURE", "1"),
    *[(f"OTEL_EXPORTER_OTLP_{name}", "/nowhere.pem") for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")],
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", FILE),  # without a certificate
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "mixed"),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "sum"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "none"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_value_that_cannot_be_honoured_is_refused_in_one_line_without_secrets(name: str, text: str) -> None:
    with pytest.raises(OtelSettingError, match=f"^{name}: .+") as raised:
        read_otel_settings({name: text})

    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_headers_are_not_shown() -> None:
    settings = read_otel_settings({"OTEL_EXPORTER_OTLP_HEADERS": "api-key=sk-secret"})

    assert "sk-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "cloud-sayings"),
        ({"OTEL_SERVICE_NAME": "api"}, "api"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=api"}, "api"),
        ({"OTEL_SERVICE_NAME": "api", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "api"),
    ],
)
def test_the_services_name(environ: dict[str, str], name: str) -> None:
    settings = read_otel_settings(environ)

    assert (settings.service_name, settings.resource_attributes["service.name"]) == (name, name)


@pytest.mark.parametrize(
    ("environ", "sampler", "follows", "share"),
    [
        ({}, "traceidratio", True, 0.05),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, "traceidratio", True, 1.0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, "traceidratio", False, 0.5),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, "always_on", True, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, "always_on", False, 1.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, "always_off", True, 0.0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "always_off", False, 0.0),
    ],
)
def test_the_six_samplers(environ: dict[str, str], sampler: str, follows: bool, share: float) -> None:
    settings = read_otel_settings(environ)

    assert (settings.sampler, settings.follows_parents, settings.share) == (sampler, follows, share)


def test_an_argument_that_the_sampler_does_not_take_is_refused() -> None:
    with pytest.raises(OtelSettingError, match=r"^OTEL_TRACES_SAMPLER_ARG: "):
        read_otel_settings({"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "0.5"})


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, (), ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, ("otlp",), ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, ("otlp",), ()),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a"}, (), ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, (), ("otlp",)),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "none"}, (), ("otlp",)),
    ],
)
def test_what_is_sent_where_endpoints_are_set(
    environ: dict[str, str], traces: tuple[str, ...], metrics: tuple[str, ...]
) -> None:
    settings = read_otel_settings(environ)

    assert (settings.traces_exporters, settings.metrics_exporters) == (traces, metrics)


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, "http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"),
        ({"PROTOCOL": "grpc"}, "http://localhost:4317", "http://localhost:4317"),
        ({"ENDPOINT": "https://a/otlp/"}, "https://a/otlp/v1/traces", "https://a/otlp/v1/metrics"),
        ({"ENDPOINT": "https://a", "TRACES_ENDPOINT": "http://b/own"}, "http://b/own", "https://a/v1/metrics"),
        ({"ENDPOINT": "https://a", "PROTOCOL": "grpc"}, "https://a", "https://a"),
        ({"ENDPOINT": "a:4317", "PROTOCOL": "grpc"}, "a:4317", "a:4317"),
    ],
)
def test_the_endpoints(environ: dict[str, str], traces: str, metrics: str) -> None:
    settings = read_otel_settings({f"OTEL_EXPORTER_OTLP_{name}": text for name, text in environ.items()})

    assert (settings.traces.endpoint, settings.metrics.endpoint) == (traces, metrics)


@pytest.mark.parametrize(
    ("endpoint", "insecure", "expected"),
    [("http://a", "false", True), ("https://a", "true", False), ("a:4317", "true", True), ("a:4317", "", False)],
)
def test_a_scheme_says_whether_a_connection_is_secure_and_else_the_variable(
    endpoint: str, insecure: str, expected: bool
) -> None:
    common = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    for_all = read_otel_settings(common | {"OTEL_EXPORTER_OTLP_INSECURE": insecure})
    for_one = read_otel_settings(common | {"OTEL_EXPORTER_OTLP_METRICS_INSECURE": insecure})

    assert (for_all.traces.insecure, for_all.metrics.insecure, for_one.metrics.insecure) == (expected,) * 3


def test_a_function_says_which_variables_it_does_not_use() -> None:
    environ = {"OTEL_SERVICE_NAME": "api", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}

    with captured_log() as log:
        open_lambda_telemetry(environ)
        open_lambda_telemetry({"OTEL_SERVICE_NAME": "api", "OTEL_BSP_SCHEDULE_DELAY": ""})

    assert log.only["error_message"] == "A function does not use OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER."
