"""compose.yaml as far as it goes without Docker: settings, ports and files, and its commands on moto's DynamoDB."""

from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
import yaml

from service.cli.commands import carry_out, parse
from service.config import Settings
from service.llm.vendors import VENDORS
from service.resources import open_resources
from service.server.app import listening
from telemetry.events import Silence
from tests.deploy.dockerfile import DOCKERFILE, ROOT, steps
from tests.support import PATIENT

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
COLLECTOR = yaml.safe_load((ROOT / "deploy/collector/compose.yaml").read_text())
OURS = [name for name, service in SERVICES.items() if "build" in service]
KEYS = {vendor.key_variable for vendor in VENDORS.values()}


def environ(service: str, **given: str) -> dict[str, str]:
    """The variables of a container. One without a value in the file is handed on if it is `given`."""
    own = SERVICES[service]["environment"]
    found = {name: given.get(name) if value is None else value for name, value in own.items()}
    return {name: value for name, value in found.items() if value is not None}


def inner_port(service: str, published: str) -> str:
    """The port of the container that is published under that one."""
    (found,) = [ports.split(":")[-1] for ports in SERVICES[service]["ports"] if f"{published}:" in ports]
    return str(found)


@pytest.mark.parametrize("service", OURS)
class TestOurs:
    def test_it_starts_with_the_settings_it_is_given(self, service: str) -> None:
        settings = Settings.from_env(environ(service))  # refuses what it does not know

        assert (settings.store, settings.keys, settings.simulator) == ("dynamodb://", "environment", "auto")

    def test_it_can_neither_write_nor_rise(self, service: str) -> None:
        assert (SERVICES[service]["read_only"], SERVICES[service]["cap_drop"]) == (True, ["ALL"])

    def test_it_is_built_from_our_dockerfile(self, service: str) -> None:
        build = SERVICES[service]["build"]

        assert ROOT / build["context"] / build["dockerfile"] == DOCKERFILE

    def test_no_key_is_written_into_the_file(self, service: str) -> None:
        assert not KEYS & environ(service).keys()


@pytest.mark.parametrize("service", ["api", "worker"])
def test_keys_are_handed_on_to_the_processes(service: str) -> None:
    keys = dict.fromkeys(KEYS, "a-key")

    assert environ(service, **keys).items() >= keys.items()


def test_the_tables_are_made_before_anything_needs_them() -> None:
    command = SERVICES["tables"]["command"]

    assert parse(command[1:]).create_tables
    for service in ("api", "worker"):
        assert SERVICES[service]["depends_on"] == {"tables": {"condition": "service_completed_successfully"}}


def test_addresses_lead_to_services_that_listen() -> None:
    listens = {"collector": COLLECTOR["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]}
    listens |= {"dynamodb": "8000", "jaeger": "4318"}  # the defaults of their images
    urls = [environ("api")["OTEL_EXPORTER_OTLP_ENDPOINT"], environ("api")["AWS_ENDPOINT_URL_DYNAMODB"]]
    urls += [COLLECTOR["exporters"]["otlp_http/jaeger"]["endpoint"]]

    found = {str(urlsplit(url).hostname): str(urlsplit(url).port) for url in urls}

    assert found == listens


def test_published_ports_are_those_that_the_containers_have() -> None:
    (port,) = [word for step in steps("ENV") for word in step.words if word.startswith("SAYINGS_PORT=")]
    metrics = COLLECTOR["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]

    assert f"SAYINGS_PORT={inner_port('api', '${PORT:-8080}')}" == port
    assert inner_port("collector", "8889") == metrics
    published = [ports for service in SERVICES.values() for ports in service.get("ports", [])]
    assert [ports for ports in published if not ports.startswith("127.0.0.1:")] == []


def test_what_is_mounted_exists() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]

    assert [mount for mount in mounts if mount.startswith("./") and not (ROOT / mount).is_file()] == []


@pytest.mark.slow
async def test_the_api_serves_from_the_tables_that_were_made(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ("tables").items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, moto_url if value.startswith("http:") else value)

    made = await carry_out(parse(SERVICES["tables"]["command"][1:]), settings_of("tables"))
    async with (
        open_resources(settings_of("api"), {}, Silence()) as resources,
        listening(resources) as url,
        aiohttp.ClientSession() as visitor,
    ):
        ready = await (await visitor.get(f"{url}/health/ready")).json()
        saying = await (await visitor.get(f"{url}/sayings")).json()

    assert (made, ready["status"], saying["origin"]) == (0, "ready", "database")


def settings_of(service: str) -> Settings:
    """The settings of a container, but patient and with any port."""
    return msgspec.structs.replace(Settings.from_env(environ(service)), timeouts=PATIENT, port=0)
