"""Proxies and certificate authorities: every connection goes the way that the settings say, and no other."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import certifi
import pytest
from aiobotocore.config import AioConfig
from botocore import UNSIGNED
from botocore.exceptions import ProxyConnectionError, SSLError

from deploy.environments import DeploymentFailed
from deploy.restore import Restoration
from deploy.stack import Stack
from service.aws.clients import AwsClients
from service.aws.sessions import open_session
from service.catalogue.models import Model
from service.config import Settings
from service.errors import ModelUnreachable
from service.keys.secret import Secret
from service.llm.prompt import build_prompt
from service.llm.vendors import VENDORS
from service.simulator import Simulator
from telemetry import traces
from telemetry.events import RequestServed
from telemetry.outbound import DIRECT, Outbound, forget_proxies_of_others, read_outbound
from telemetry.setup import open_telemetry
from tests.aws import REGION
from tests.company import PASSWORD, Company, open_company
from tests.llm.vendor import MODELS, VendorEndpoint
from tests.logging_capture import captured_log, everything_logged
from tests.support import PATIENT, TOPICS, timeless_entries
from tests.telemetry.receiver import RECEIVERS, Receiver, http_receiver
from tests.test_processes import Machine, machine

__all__ = ["machine"]

KEY = Secret("sk-test")
PROMPT = build_prompt(TOPICS, ["Amazon S3", "AWS Lambda"])
DEAD = "http://127.0.0.1:9"


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with open_company(tmp_path) as company:
        yield company


@pytest.fixture(autouse=True)
def environment_of_a_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set for other programs, and would break ours."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY"):
        monkeypatch.setenv(name, DEAD)
        monkeypatch.setenv(name.lower(), DEAD)
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, certifi.where())
    forget_proxies_of_others()


class TestSettings:
    def test_they_are_read_and_hidden(self, company: Company) -> None:
        environ = {"SAYINGS_HTTPS_PROXY": company.outbound.proxy, "SSL_CERT_FILE": company.outbound.authorities}

        settings = Settings.from_env(environ)

        assert settings.outbound == company.outbound
        assert "p%40ss" not in repr(settings)

    def test_without_them_everything_is_direct(self) -> None:
        assert read_outbound({"SAYINGS_HTTPS_PROXY": "", "SSL_CERT_FILE": ""}) == DIRECT

    def test_a_slash_at_the_end_of_a_proxy_is_as_good_as_none(self) -> None:
        assert read_outbound({"SAYINGS_HTTPS_PROXY": "http://[::1]:3128/"}) == Outbound("http://[::1]:3128")

    @pytest.mark.parametrize(
        ("url", "goes"),
        [
            ("https://api.example.com/v1", "through"),
            ("https://10.0.0.1", "through"),
            ("http://api.example.com", "direct"),
            ("http://169.254.170.2/v2/credentials", "direct"),
            ("https://127.0.0.1:4566", "direct"),
            ("https://[::1]:4566", "direct"),
            ("https://localhost:4318", "direct"),
            ("https://models.localhost", "direct"),
        ],
    )
    def test_https_goes_through_the_proxy_unless_it_stays_on_the_machine(self, url: str, goes: str) -> None:
        outbound = Outbound("http://proxy:3128")

        assert outbound.proxy_for(url) == ("http://proxy:3128" if goes == "through" else "")

    def test_the_proxies_of_other_programs_are_forgotten(self) -> None:
        assert [name for name in os.environ if name.lower().endswith("_proxy")] == []


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
class TestVendors:
    async def answer(self, model: Model, url: str, outbound: Outbound) -> str:
        adapter = VENDORS[model.vendor].adapter(url, outbound)
        try:
            return (await adapter.complete(model, PROMPT, KEY)).text
        finally:
            await adapter.close()

    async def test_a_call_goes_through_the_proxy(self, model: Model, company: Company) -> None:
        async with VendorEndpoint().serve() as local:
            url = await company.put("vendor", local)

            text = await self.answer(model, url, company.outbound)

        assert (text, company.asked) == ("Hello", ["vendor.company.test:443"])

    async def test_a_call_that_stays_on_the_machine_does_not(self, model: Model, company: Company) -> None:
        async with VendorEndpoint().serve() as local:
            url = await company.put("vendor", local)

            texts = [await self.answer(model, each, company.outbound) for each in (local, company.at("127.0.0.1", url))]

        assert (texts, company.asked) == (["Hello"] * 2, [])

    async def test_without_the_authority_nobody_is_trusted(self, model: Model, company: Company) -> None:
        vendor = VendorEndpoint()
        async with vendor.serve() as local:
            url = await company.put("vendor", local)

            for each in (url, company.at("127.0.0.1", url)):
                with pytest.raises(ModelUnreachable):
                    await self.answer(model, each, company.doubter)

        assert vendor.headers == []

    async def test_a_proxy_that_refuses_is_named_and_nothing_is_billed(self, model: Model, company: Company) -> None:
        with pytest.raises(ModelUnreachable) as raised:
            await self.answer(model, "https://vendor.company.test", company.stranger)

        assert str(raised.value) == "The proxy refuses to connect to the vendor."
        assert not raised.value.may_be_billed


class TestAws:
    async def tables(self, url: str, outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        async with AsyncExitStack() as stack:
            dynamodb = await AwsClients(REGION, stack, outbound=outbound, timeouts=PATIENT).dynamodb()
            return (await dynamodb.list_tables())["TableNames"]

    async def test_a_call_goes_through_the_proxy(
        self, company: Company, moto_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = await company.put("aws", moto_url)

        tables = await self.tables(url, company.outbound, monkeypatch)

        assert (tables, company.asked) == ([], ["aws.company.test:443"])

    async def test_a_call_that_stays_on_the_machine_does_not(
        self, company: Company, moto_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = company.at("127.0.0.1", await company.put("aws", moto_url))

        tables = [await self.tables(each, company.outbound, monkeypatch) for each in (moto_url, url)]

        assert (tables, company.asked) == ([[], []], [])

    async def test_without_the_authority_nobody_is_trusted(
        self, company: Company, moto_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = await company.put("aws", moto_url)

        for each in (url, company.at("127.0.0.1", url)):
            with pytest.raises(SSLError):
                await self.tables(each, company.doubter, monkeypatch)

    async def test_a_certificate_for_another_name_is_refused(
        self, company: Company, moto_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = company.at("localhost", await company.put("aws", moto_url))

        with pytest.raises(SSLError):
            await self.tables(url, company.outbound, monkeypatch)

    async def test_a_proxy_that_refuses_is_an_error_of_its_own(
        self, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(ProxyConnectionError):
            await self.tables("https://aws.company.test", company.stranger, monkeypatch)

    async def test_clients_that_the_sdk_makes_for_credentials_go_the_same_way(self, company: Company) -> None:
        url = await company.put("sts", DEAD)
        session = open_session(company.doubter)

        opening = session.create_client("sts", REGION, endpoint_url=url, config=AioConfig(signature_version=UNSIGNED))
        async with opening as sts:
            with pytest.raises(SSLError):
                await sts.get_caller_identity()

        assert set(company.asked) == {"sts.company.test:443"}


class TestDeployment:
    @pytest.fixture(autouse=True)
    def environment_of_an_operator(self, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SAYINGS_HTTPS_PROXY", company.outbound.proxy)
        monkeypatch.setenv("SSL_CERT_FILE", company.outbound.authorities)
        monkeypatch.setenv("HTTPS_PROXY", DEAD)
        monkeypatch.setenv("AWS_REGION", REGION)

    def tables(self) -> list[str]:
        with closing(Stack().session.client("dynamodb")) as client:
            tables: list[str] = client.list_tables()["TableNames"]
        return tables

    async def test_a_call_goes_through_the_proxy(
        self, company: Company, moto_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", await company.put("aws", moto_url))

        tables = await asyncio.to_thread(self.tables)

        assert (tables, company.asked) == ([], ["aws.company.test:443"])

    async def test_without_the_setting_the_proxy_of_others_is_not_asked(
        self, company: Company, moto_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SAYINGS_HTTPS_PROXY")
        monkeypatch.setenv("AWS_ENDPOINT_URL", company.at("127.0.0.1", await company.put("aws", moto_url)))

        tables = await asyncio.to_thread(self.tables)

        assert (tables, company.asked) == ([], [])

    async def test_restored_tables_are_counted_through_the_proxy(
        self, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.company.test")
        monkeypatch.setenv("SAYINGS_HTTPS_PROXY", company.stranger.proxy)
        stack = Stack()
        stack.__dict__["outputs"] = {"Store": "dynamodb://sayings-"}

        with pytest.raises(DeploymentFailed, match="There is no connection to the database"):
            await asyncio.to_thread(Restoration(stack, datetime.now(UTC)).agree)

        assert set(company.asked) == {"aws.company.test:443"}

    def test_the_sam_cli_is_told(self, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
        told: dict[str, str] = {}
        monkeypatch.setattr("deploy.stack.environment", lambda _: Path("environment"))
        monkeypatch.setattr("deploy.stack.run", lambda _command, _failure, environ, _log: told.update(environ))

        Stack().deploy({})

        assert told["https_proxy"] == company.outbound.proxy
        assert told["AWS_CA_BUNDLE"] == company.outbound.authorities

    def test_a_proxy_that_cannot_be_used_is_named_before_anything_is_done(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SAYINGS_HTTPS_PROXY", "https://proxy")

        with pytest.raises(DeploymentFailed, match="SAYINGS_HTTPS_PROXY: must be http://host:port"):
            Stack()


@pytest.mark.parametrize("protocol", RECEIVERS)
class TestOtlp:
    async def send(self, url: str, protocol: str, outbound: Outbound, **environ: str) -> None:
        known = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        known |= {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_METRICS_EXPORTER": "none"}
        async with open_telemetry(known | environ, outbound=outbound) as telemetry:
            traces.begin({})
            telemetry.listener.emit(RequestServed("getSaying", 200, 1.5, method="GET", route="/sayings"))

    @pytest.fixture
    async def receiver(self, protocol: str) -> AsyncIterator[Receiver]:
        async with RECEIVERS[protocol]() as receiver:
            yield receiver

    async def test_it_goes_through_the_proxy(self, company: Company, receiver: Receiver, protocol: str) -> None:
        url = await company.put("otlp", receiver.url)

        await self.send(f"{url}:443", protocol, company.outbound)

        assert (len(receiver.spans), company.asked) == (1, ["otlp.company.test:443"])

    async def test_it_stays_on_the_machine(self, company: Company, receiver: Receiver, protocol: str) -> None:
        url = company.at("127.0.0.1", await company.put("otlp", receiver.url))

        await self.send(url, protocol, company.outbound)

        assert (len(receiver.spans), company.asked) == (1, [])

    async def test_without_the_authority_nobody_is_trusted(
        self, company: Company, receiver: Receiver, protocol: str
    ) -> None:
        url = await company.put("otlp", receiver.url)

        await self.send(f"{url}:443", protocol, company.doubter)

        assert receiver.spans == []
        assert set(company.asked) == {"otlp.company.test:443"}

    async def test_its_own_certificate_goes_first(self, company: Company, receiver: Receiver, protocol: str) -> None:
        url = await company.put("otlp", receiver.url)
        others = replace(company.outbound, authorities=certifi.where())

        await self.send(
            f"{url}:443", protocol, others, OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=company.outbound.authorities
        )

        assert len(receiver.spans) == 1


async def test_the_password_is_in_no_log(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(company.outbound, proxy=company.outbound.proxy.replace("ann", "bob"))
    with captured_log("DEBUG") as log, everything_logged("httpx2", "httpcore2", "botocore", "aiobotocore", "urllib3"):
        for model in MODELS.values():
            with pytest.raises(ModelUnreachable):
                await TestVendors().answer(model, "https://vendor.company.test", wrong)
        with pytest.raises(ProxyConnectionError):
            await TestAws().tables("https://aws.company.test", wrong, monkeypatch)
        for protocol in RECEIVERS:
            await TestOtlp().send("https://otlp.company.test:443", protocol, wrong)

    assert len(company.asked) >= len(MODELS) + 1 + len(RECEIVERS)
    assert log.records != []
    assert not [secret for secret in (PASSWORD, "p%40ss") if secret in log.getvalue()]


@pytest.mark.slow
async def test_a_worker_in_a_company(
    machine: Machine, company: Company, simulator: Simulator, simulator_url: str, tmp_path: Path
) -> None:
    async with http_receiver() as receiver:
        vendor, otlp = await company.put("vendor", simulator_url), await company.put("otlp", receiver.url)
        catalogue: dict[str, Any] = {"models": timeless_entries()}
        for model in catalogue["models"]:
            model["base_url"] = vendor + VENDORS[model["vendor"]].simulator_path
        (tmp_path / "company.json").write_text(json.dumps(catalogue))

        code, worker = await machine.run(
            "-m",
            "workers",
            "--once",
            SAYINGS_CATALOGUE=str(tmp_path / "company.json"),
            SAYINGS_SIMULATOR="off",
            SAYINGS_HTTPS_PROXY=company.outbound.proxy,
            SSL_CERT_FILE=company.outbound.authorities,
            OTEL_EXPORTER_OTLP_ENDPOINT=otlp,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            HTTPS_PROXY=DEAD,
            NO_PROXY="*",
        )

    assert (code, worker.said) == (0, [])
    assert len(simulator.calls) >= len(catalogue["models"])
    assert {name.partition(".")[0] for name in company.asked} == {"vendor", "otlp"}
    assert receiver.spans
