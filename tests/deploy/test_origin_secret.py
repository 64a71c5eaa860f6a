"""The secret that CloudFront brings to the API: who makes it, who gets it, and that an update keeps those before."""

import hashlib
import json
from typing import Any
from urllib.request import Request

import pytest

from service.api.client_address import ORIGIN_HEADER, TrustedProxies
from service.config import Settings
from tests.deploy.stack import Stack

STACK = Stack()
EVENT = {
    "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/sayings/1",
    "RequestId": "a-request",
    "LogicalResourceId": "OriginSecret",
    "ResponseURL": "https://cloudformation.example/answer",
}


class Maker:
    """The function of the template, whose answers come here and not to CloudFormation."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self._module: dict[str, Any] = {}
        exec(STACK.properties("OriginSecretMaker")["Code"]["ZipFile"], self._module)
        self._module["urlopen"] = self.sent.append

    def answer(self, kind: str, before: str = "") -> Any:
        physical = {"PhysicalResourceId": before} if before else {}
        self._module["handler"](EVENT | {"RequestType": kind} | physical, None)
        assert isinstance(self.sent[-1].data, bytes)
        return json.loads(self.sent[-1].data)


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_it_answers_as_cloudformation_expects(maker: Maker) -> None:
    answer = maker.answer("Create")

    (request,) = maker.sent
    assert (request.method, request.full_url, request.get_header("Content-type")) == ("PUT", EVENT["ResponseURL"], "")
    assert {name: answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")}.items() <= EVENT.items()
    assert (answer["Status"], answer["NoEcho"]) == ("SUCCESS", True)


def test_it_makes_a_secret_and_its_digest(maker: Maker) -> None:
    data = maker.answer("Create")["Data"]

    assert len(data["Secret"]) >= 43  # 256 bits
    assert data["Digests"] == hashlib.sha256(data["Secret"].encode()).hexdigest()


def test_an_update_its_rollback_and_another_update_keep_the_secret_that_cloudfront_still_sends(maker: Maker) -> None:
    answers = [maker.answer("Create")]
    for _ in range(3):
        answers.append(maker.answer("Update", answers[-1]["PhysicalResourceId"]))
    proxies = proxies_with(answers[-1]["Data"]["Digests"])

    assert [proxies.of({ORIGIN_HEADER: each["Data"]["Secret"]}) for each in answers] == [1, 1, 1, 1]


def test_after_four_updates_the_first_secret_is_worthless(maker: Maker) -> None:
    first = last = maker.answer("Create")
    for _ in range(4):
        last = maker.answer("Update", last["PhysicalResourceId"])

    assert proxies_with(last["Data"]["Digests"]).of({ORIGIN_HEADER: first["Data"]["Secret"]}) == 0


def test_a_deletion_is_answered_and_makes_nothing(maker: Maker) -> None:
    answer = maker.answer("Delete", "some digests")

    assert (answer["Status"], answer["PhysicalResourceId"], "Data" in answer) == ("SUCCESS", "some digests", False)


def test_cloudfront_brings_it_to_the_api_and_to_nobody_else() -> None:
    origins = STACK.properties("Distribution")["DistributionConfig"]["Origins"]

    headers = {origin["Id"]: origin.get("OriginCustomHeaders", []) for origin in origins}

    assert headers == {"page": [], "api": [{"HeaderName": ORIGIN_HEADER, "HeaderValue": "OriginSecret.Secret"}]}


def test_the_function_and_the_outputs_have_no_more_than_the_digest() -> None:
    elsewhere = json.dumps([STACK.environment("ApiFunction"), STACK.template["Outputs"], STACK.template["Globals"]])

    assert STACK.environment("ApiFunction")["SAYINGS_ORIGIN_SECRET_SHA256"] == "0" * 64
    assert "OriginSecret" not in elsewhere


def proxies_with(digests: str) -> TrustedProxies:
    settings = Settings.from_env({"SAYINGS_TRUSTED_PROXIES": "1", "SAYINGS_ORIGIN_SECRET_SHA256": digests})
    return TrustedProxies(settings.trusted_proxies, settings.origin_secret_digests)
