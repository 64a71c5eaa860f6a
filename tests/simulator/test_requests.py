"""Requests that a vendor refuses: keys, models, fields, headers, bodies and paths."""

import gzip
from typing import Any

import anthropic
import openai
import pytest

from tests.simulator.world import HOME, PROTOCOLS, World, body_of, error_of


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_key_is_needed(world: World, protocol: str) -> None:
    missing = await world.post(protocol, body_of(protocol), authorization="")
    empty = await world.post(protocol, body_of(protocol), authorization="Bearer")
    basic = await world.post(protocol, body_of(protocol), authorization="Basic a2V5")

    assert [missing.status_code, empty.status_code, basic.status_code] == [401] * 3
    assert error_of(protocol, missing)["type"] in ("authentication_error", "invalid_request_error")
    assert world.simulator.calls[-1].model == HOME[protocol]


async def test_anthropic_takes_the_key_in_either_header(world: World) -> None:
    plain = await world.post("messages", body_of("messages"), authorization="", x_api_key="key")
    bearer = await world.post("messages", body_of("messages"))

    assert [plain.status_code, bearer.status_code] == [200, 200]


async def test_a_revoked_key_works_again_once_restored(world: World) -> None:
    world.simulator.revoke("sk-secret-gpt1")
    with pytest.raises(openai.AuthenticationError) as refused:
        await world.ask("chat")
    world.simulator.restore("sk-secret-gpt1")

    assert (await world.ask("chat")).choices
    assert "sk-secret-gpt1" not in str(refused.value)
    assert "gpt1" in str(refused.value)  # the vendor's message contains parts of the key too


@pytest.mark.parametrize(
    ("protocol", "model"), [("messages", "claude-1"), ("messages", "gpt-4.1"), ("chat", "gpt-9"), ("chat", "gpt-4.1 ")]
)
async def test_an_unknown_model_is_not_found(world: World, protocol: str, model: str) -> None:
    with pytest.raises((anthropic.NotFoundError, openai.NotFoundError)):
        await world.ask(protocol, model=model)

    assert world.simulator.calls[-1].status == 404


BLOCKS = [{"type": "text", "text": "- Amazon S3"}]


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        *[(protocol, {"temperature": 2.5}) for protocol in PROTOCOLS],
        *[(protocol, {"temperature": "hot"}) for protocol in PROTOCOLS],
        *[(protocol, {"stream": True}) for protocol in PROTOCOLS],
        *[(protocol, {"colour": "blue"}) for protocol in PROTOCOLS],
        *[(protocol, {"model": None}) for protocol in PROTOCOLS],
        *[(protocol, {"messages": []}) for protocol in PROTOCOLS],
        *[(protocol, {"messages": None}) for protocol in PROTOCOLS],
        *[(protocol, {"messages": [{"role": "robot", "content": "hi"}]}) for protocol in PROTOCOLS],
        ("messages", {"messages": [{"role": "system", "content": "hi"}]}),
        ("messages", {"messages": [{"role": "user", "content": ""}]}),
        ("messages", {"max_tokens": None}),
        ("messages", {"max_tokens": 0}),
        ("messages", {"max_tokens": 64_001}),
        ("messages", {"temperature": 1.1}),
        ("messages", {"temperature": 0.5, "top_p": 0.5}),
        ("messages", {"response_format": {"type": "text"}}),
        ("chat", {"max_completion_tokens": 32_769}),
        ("chat", {"max_completion_tokens": 10, "max_tokens": 10}),
        ("chat", {"n": 2}),
    ],
)
async def test_a_wrong_field_is_a_bad_request(world: World, protocol: str, changes: dict[str, Any]) -> None:
    response = await world.post(protocol, body_of(protocol, **changes))

    assert response.status_code == 400
    assert error_of(protocol, response)["type"] == "invalid_request_error"
    assert world.simulator.calls[-1].status == 400


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        ("messages", {"system": BLOCKS, "temperature": 1, "metadata": {"user_id": "u"}}),
        ("messages", {"messages": [{"role": "user", "content": BLOCKS}, {"role": "assistant", "content": "Hm."}]}),
        ("chat", {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": BLOCKS}]}),
        ("chat", {"temperature": 2, "seed": 3, "store": False, "max_completion_tokens": 99}),
    ],
)
async def test_other_legal_requests_are_answered(world: World, protocol: str, changes: dict[str, Any]) -> None:
    response = await world.post(protocol, body_of(protocol, **changes))

    assert response.status_code == 200
    assert "Amazon S3" in response.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"7", b'{"model": NaN}', b'{"a":' * 100_000, b"\xff\xfe", b'{"model": "\\ud800"}'],
)
async def test_a_body_other_than_a_json_object_is_a_bad_request(world: World, protocol: str, body: bytes) -> None:
    response = await world.post(protocol, body)

    assert response.status_code == 400
    assert error_of(protocol, response)["type"] == "invalid_request_error"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_headers_are_checked(world: World, protocol: str) -> None:
    form = await world.post(protocol, body_of(protocol), content_type="text/plain")
    charset = await world.post(protocol, body_of(protocol), content_type="application/json; charset=utf-8")
    no_version = await world.post(protocol, body_of(protocol), anthropic_version="")
    odd_version = await world.post(protocol, body_of(protocol), anthropic_version="latest")

    assert [form.status_code, charset.status_code] == [400, 200]
    assert [no_version.status_code, odd_version.status_code] == [400 if protocol == "messages" else 200] * 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_compressed_body_is_read_unless_broken(world: World, protocol: str) -> None:
    whole = await world.post(protocol, gzip.compress(body_of(protocol)), content_encoding="gzip")
    broken = await world.post(protocol, b"no gzip", content_encoding="gzip")

    assert [whole.status_code, broken.status_code] == [200, 400]


async def test_a_body_beyond_the_limit_is_too_large(world: World) -> None:
    response = await world.post("messages", b"x" * (33 * 2**20))

    assert response.status_code == 413
    assert error_of("messages", response)["type"] == "request_too_large"


@pytest.mark.parametrize("path", ["/anthropic/v1/complete", "/openai/v1/responses", "/anthropic/v1/messages/"])
async def test_another_path_is_the_vendors_404(world: World, path: str) -> None:
    response = await world.http.post(world.root + path, content=b"{}")

    assert response.status_code == 404
    assert "Invalid URL" in response.json()["error"]["message"]
