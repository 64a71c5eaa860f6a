"""The adapters, driven through the vendors' own SDKs over the wire."""

import asyncio
import gc
import gzip
import re
import time
import tracemalloc
import warnings
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import ModuleType
from typing import Any, NamedTuple

import anthropic
import httpx2
import msgspec
import openai
import pytest

from service.catalogue.models import Model
from service.domain import Usage
from service.errors import (
    ModelBadResponse,
    ModelConnectionFailed,
    ModelEdgeTimeout,
    ModelError,
    ModelForbidden,
    ModelGone,
    ModelKeyRejected,
    ModelOverloaded,
    ModelRateLimited,
    ModelRequestRejected,
    ModelSpendLimitReached,
    ModelTimeout,
    ModelUnreachable,
)
from service.keys.secret import Secret
from service.llm import anthropic as anthropic_adapter
from service.llm import openai as openai_adapter
from service.llm.adapter import Finish, ModelAdapter
from service.llm.failures import retry_after_seconds
from service.llm.prompt import OUTPUT_SCHEMA, build_prompt
from service.llm.vendors import VENDORS, Adapters
from service.simulator import Fault, FaultKind, Simulator
from tests.llm.vendor import CATALOGUE, MODELS, VendorEndpoint
from tests.support import TOPICS

KEY = Secret("sk-test")
PROMPT = build_prompt(TOPICS, ["Amazon S3", "AWS Lambda"])
SDKS = {"anthropic": anthropic, "openai": openai}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    """One model of each vendor."""
    return MODELS[request.param]


@pytest.fixture
async def adapters(simulator_url: str) -> AsyncIterator[Adapters]:
    adapters = Adapters(VENDORS, simulator_url)
    yield adapters
    await adapters.close()


class Line(NamedTuple):
    """A vendor that answers as told, and an adapter that talks to it."""

    vendor: VendorEndpoint
    adapter: ModelAdapter


@pytest.fixture
async def line(model: Model) -> AsyncIterator[Line]:
    vendor = VendorEndpoint()
    async with vendor.serve() as url:
        adapter = VENDORS[model.vendor].adapter(url)
        yield Line(vendor, adapter)
        await adapter.close()


# --- good answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", list(CATALOGUE), ids=lambda model: model.id)
async def test_a_good_answer_comes_with_the_vendors_usage(
    model: Model, adapters: Adapters, simulator: Simulator
) -> None:
    completion = await adapters.of(model).complete(model, PROMPT, KEY)

    call = simulator.calls[-1]
    assert (call.model, call.max_tokens) == (model.id, model.max_tokens)
    assert completion.usage == Usage(call.input_tokens, call.output_tokens)
    assert (completion.finish, bool(completion.response_id)) == (Finish.DONE, True)
    assert [item["service"] for item in msgspec.json.decode(completion.text)["sayings"]] == list(PROMPT.services)


async def test_a_model_that_the_sdk_warns_of_is_called_without_a_word(adapters: Adapters) -> None:
    sonnet = CATALOGUE["claude-sonnet-4-5"]
    adapter = adapters.of(sonnet)
    await adapter.load()

    with warnings.catch_warnings():  # as a library does that resets the filters after the client was made
        warnings.simplefilter("error")
        filters = len(warnings.filters)
        await adapter.complete(sonnet, PROMPT, KEY)
        await adapter.complete(sonnet, PROMPT, KEY)

        assert len(warnings.filters) == filters + 1


@pytest.mark.parametrize(
    ("vendor", "usage", "counted"),
    [
        ("anthropic", {"cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}, Usage(18, 2, 5, 3)),
        ("anthropic", {"output_tokens_details": {"thinking_tokens": 1}}, Usage(10, 2, thinking_tokens=1)),
        ("anthropic", {"output_tokens_details": None}, Usage(10, 2)),
        ("anthropic", {"cache_read_input_tokens": None}, Usage(10, 2, 0)),
        ("openai", {"prompt_tokens_details": {"cached_tokens": 5}}, Usage(10, 2, 5)),
        ("openai", {"prompt_tokens_details": {"cached_tokens": None}}, Usage(10, 2, 0)),
        ("openai", {"prompt_tokens_details": None}, Usage(10, 2, 0)),
        ("openai", {"prompt_tokens_details": {"cache_write_tokens": 3}}, Usage(10, 2, 0, 3)),
        ("openai", {"completion_tokens_details": {"reasoning_tokens": 1}}, Usage(10, 2, thinking_tokens=1)),
        ("openai", {"completion_tokens_details": None}, Usage(10, 2)),
    ],
)
async def test_all_tokens_are_among_input_and_output(vendor: str, usage: dict[str, Any], counted: Usage) -> None:
    told = VendorEndpoint(usage=usage)

    completion = await _ask(told, MODELS[vendor])

    assert completion.usage == counted


@pytest.mark.parametrize(
    ("vendor", "content", "text"),
    [
        ("anthropic", {"content": []}, ""),
        ("anthropic", {"content": [{"type": "text", "text": None}]}, ""),
        ("anthropic", {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "A"}]}, "A"),
        ("anthropic", {"content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}, "AB"),
        ("anthropic", {"content": [{"type": "hologram", "projection": "A"}, {"type": "text", "text": "B"}]}, "B"),
        ("openai", {"content": None}, ""),
        ("openai", {"content": []}, ""),
        ("openai", {"content": [{"type": "text", "text": "A"}, {"type": "text", "text": None}]}, "A"),
        ("openai", {"content": [{"type": "hologram", "projection": "A"}, {"type": "text", "text": "B"}]}, "B"),
    ],
)
async def test_the_text_is_what_the_text_blocks_say(vendor: str, content: dict[str, Any], text: str) -> None:
    completion = await _ask(VendorEndpoint(content=content), MODELS[vendor])

    assert completion.text == text


@pytest.mark.parametrize("vendor", MODELS)
async def test_an_answer_says_which_model_wrote_it(vendor: str) -> None:
    completion = await _ask(VendorEndpoint(envelope={"model": "dated-2026-11-28"}), MODELS[vendor])
    nameless = await _ask(VendorEndpoint(envelope={"model": None}), MODELS[vendor])

    assert (completion.snapshot, nameless.snapshot) == ("dated-2026-11-28", "")


@pytest.mark.parametrize(
    ("vendor", "answered", "tier"),
    [
        ("anthropic", None, ""),
        ("anthropic", "standard", ""),
        ("anthropic", "priority", "priority"),
        ("openai", None, ""),
        ("openai", "default", ""),
        ("openai", "priority", "priority"),
    ],
)
async def test_a_tier_that_was_not_asked_for_is_named(vendor: str, answered: str | None, tier: str) -> None:
    told = {"service_tier": answered}
    endpoint = VendorEndpoint(usage=told) if vendor == "anthropic" else VendorEndpoint(envelope=told)

    completion = await _ask(endpoint, MODELS[vendor])

    assert completion.tier == tier


async def _ask(vendor: VendorEndpoint, model: Model) -> Any:
    async with vendor.serve() as url:
        adapter = VENDORS[model.vendor].adapter(url)
        try:
            return await adapter.complete(model, PROMPT, KEY)
        finally:
            await adapter.close()


async def test_the_schema_is_sent_if_the_endpoint_supports_it(line: Line, model: Model) -> None:
    plain = msgspec.structs.replace(model, structured_output=False)

    await line.adapter.complete(model, PROMPT, KEY)
    await line.adapter.complete(plain, PROMPT, KEY)

    with_schema, without = line.vendor.bodies
    sent = with_schema.get("output_config", {}).get("format") or with_schema["response_format"]["json_schema"]
    assert sent["schema"] == OUTPUT_SCHEMA
    assert without.keys() == with_schema.keys() - {"output_config", "response_format"}


async def test_a_compatible_endpoint_may_leave_things_out() -> None:
    lean = VendorEndpoint(envelope={"id": None, "usage": None, "model": None, "error": None})

    completion = await _ask(lean, MODELS["openai"])

    assert (completion.response_id, completion.text, completion.usage) == ("", "Hello", None)


@pytest.mark.parametrize(
    ("reason", "text", "finish"),
    [
        (None, "A", Finish.DONE),
        ("eos", "A", Finish.DONE),
        ("STOP", "A", Finish.DONE),
        ("end_turn", "A", Finish.DONE),
        (None, "", Finish.TRUNCATED),
        ("eos", "", Finish.TRUNCATED),
        ("length", "A", Finish.TRUNCATED),
        ("error", "A", Finish.TRUNCATED),
    ],
)
async def test_unusual_reasons_to_finish_count_if_there_is_a_text(
    reason: str | None, text: str, finish: Finish
) -> None:
    choice = {"message": {"content": text}, "finish_reason": reason}

    completion = await _ask(VendorEndpoint(envelope={"choices": [choice]}), MODELS["openai"])

    assert completion.finish is finish


ASKED: dict[str, dict[str, Any]] = {
    "claude-haiku-4-5": {"max_tokens": 600, "service_tier": "standard_only"},
    "claude-haiku-5-5": {"max_tokens": 600, "service_tier": "standard_only", "thinking": {"type": "disabled"}},
    "claude-sonnet-4-5": {"max_tokens": 600, "service_tier": "standard_only"},
    "claude-sonnet-5-5": {"max_tokens": 600, "service_tier": "standard_only", "thinking": {"type": "between_tools"}},
    "gpt-4.1": {"max_tokens": 600, "service_tier": "default"},
    "gpt-4.1-mini": {"max_tokens": 600, "service_tier": "default"},
    "gpt-6.1-terra": {"max_completion_tokens": 600, "service_tier": "default", "reasoning_effort": "none"},
    "gpt-6-luna": {"max_completion_tokens": 600, "service_tier": "default", "reasoning_effort": "none"},
}
ALWAYS_SENT = {"model", "messages", "system", "output_config", "response_format"}


@pytest.mark.parametrize("asked", list(CATALOGUE), ids=lambda model: model.id)
async def test_each_model_is_asked_as_the_catalogue_says(asked: Model) -> None:
    endpoint = VendorEndpoint()

    await _ask(endpoint, asked)

    [body] = endpoint.bodies
    assert body["model"] == asked.id
    assert {name: value for name, value in body.items() if name not in ALWAYS_SENT} == ASKED[asked.id]


async def test_an_effort_is_sent_beside_the_schema_under_the_vendors_name(line: Line, model: Model) -> None:
    low = msgspec.structs.replace(model, id="low", asked_as="thinker", effort="low")

    await line.adapter.complete(low, PROMPT, KEY)

    [body] = line.vendor.bodies
    assert body["model"] == "thinker"
    config = body.get("output_config") or {"effort": body["reasoning_effort"], "format": body["response_format"]}
    assert (config["effort"], config["format"]["type"]) == ("low", "json_schema")


async def test_an_endpoint_of_ones_own_is_asked_for_no_tier_nor_held_to_one(line: Line, model: Model) -> None:
    line.vendor.envelope = {"service_tier": "dedicated"}
    own = msgspec.structs.replace(model, base_url="http://localhost")

    completion = await line.adapter.complete(own, PROMPT, KEY)

    assert "service_tier" not in line.vendor.bodies[0]
    assert completion.tier == ""


# --- clients ----------------------------------------------------------------------------------------------------------


async def test_another_key_travels_on_the_same_connection(line: Line, model: Model) -> None:
    for key in ("old", "new", "old"):
        await line.adapter.complete(model, PROMPT, Secret(key))

    assert line.vendor.keys == ["Bearer old", "Bearer new", "Bearer old"]
    assert len(line.vendor.connections) == 1


async def test_concurrent_first_calls_share_one_client(line: Line, model: Model) -> None:
    await asyncio.gather(*(line.adapter.complete(model, PROMPT, Secret(f"key {n}")) for n in range(10)))

    again = len(line.vendor.connections)
    await line.adapter.complete(model, PROMPT, KEY)

    assert sorted(line.vendor.keys) == sorted([*(f"Bearer key {n}" for n in range(10)), "Bearer sk-test"])
    assert len(line.vendor.connections) == again


async def test_one_address_may_speak_both_protocols() -> None:
    async with VendorEndpoint().serve() as url:
        models = [msgspec.structs.replace(model, base_url=url) for model in MODELS.values()]
        adapters = Adapters(VENDORS)

        completions = [await adapters.of(model).complete(model, PROMPT, KEY) for model in models]
        await adapters.close()

    assert [completion.response_id for completion in completions] == ["msg_1", "chatcmpl-1"]


async def test_the_environment_changes_neither_address_nor_key(
    line: Line, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "http://127.0.0.1:9"
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
        monkeypatch.setenv(name.lower(), nowhere)
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "sk-environment")

    await line.adapter.complete(model, PROMPT, KEY)

    assert line.vendor.keys == ["Bearer sk-test"]
    assert "sk-environment" not in str(line.vendor.headers)


async def test_a_redirect_is_not_followed_and_nothing_is_sent_again(line: Line, model: Model) -> None:
    elsewhere = VendorEndpoint()
    async with elsewhere.serve() as url:
        line.vendor.fails(
            307, b"", Location=url + ("/v1/messages" if model.vendor == "anthropic" else "/chat/completions")
        )

        with pytest.raises(ModelRequestRejected) as caught:
            await line.adapter.complete(model, PROMPT, KEY)

    assert caught.value.status == 307
    assert (len(line.vendor.bodies), elsewhere.bodies) == (1, [])


async def test_two_hundred_cancelled_calls_leave_nothing_behind(
    adapters: Adapters, simulator: Simulator, model: Model
) -> None:
    adapter = adapters.of(model)
    await adapter.complete(model, PROMPT, KEY)
    simulator.inject(model.id, Fault(FaultKind.HANG, count=None))
    before = asyncio.all_tasks()

    calls = [asyncio.create_task(adapter.complete(model, PROMPT, KEY)) for _ in range(200)]
    await simulator.until(lambda: simulator.in_flight == 200)
    for call in calls:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    await simulator.until(lambda: simulator.in_flight == 0)

    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    simulator.clear_faults()
    await adapter.complete(model, PROMPT, KEY)
    del calls, outcomes
    gc.collect()  # an unclosed socket would warn here, and warnings are errors
    # The server's side of a connection kept alive may be left, and nothing of ours.
    left = [task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task.get_coro())]
    assert left == []


# --- faults -----------------------------------------------------------------------------------------------------------

RAISED: dict[FaultKind, type[ModelError]] = {
    FaultKind.RESET: ModelConnectionFailed,
    FaultKind.TRUNCATED_BODY: ModelBadResponse,  # a 200 had begun, so it was paid for
    FaultKind.REDIRECT: ModelRequestRejected,
    FaultKind.BAD_REQUEST: ModelRequestRejected,
    FaultKind.UNAUTHORIZED: ModelKeyRejected,
    FaultKind.FORBIDDEN: ModelForbidden,
    FaultKind.RATE_LIMITED: ModelRateLimited,
    FaultKind.SPEND_LIMIT: ModelSpendLimitReached,
    FaultKind.SERVER_ERROR: ModelOverloaded,
    FaultKind.UNAVAILABLE: ModelOverloaded,
    FaultKind.OVERLOADED: ModelOverloaded,
    FaultKind.BAD_JSON: ModelBadResponse,
    FaultKind.HTML: ModelBadResponse,
    FaultKind.EMPTY_BODY: ModelBadResponse,
    FaultKind.NULL_BODY: ModelBadResponse,
    FaultKind.LIST_BODY: ModelBadResponse,
    FaultKind.OBJECT_BODY: ModelBadResponse,
    FaultKind.BAD_UTF8: ModelBadResponse,
    FaultKind.PACKED_BODY: ModelBadResponse,
    FaultKind.ENDLESS_BODY: ModelBadResponse,
}
FINISHED = {
    FaultKind.REFUSAL: Finish.REFUSED,
    FaultKind.CONTENT_FILTER: Finish.REFUSED,
    FaultKind.MAX_TOKENS: Finish.TRUNCATED,
    FaultKind.UNKNOWN_BLOCK: Finish.DONE,
}
# An adapter has no deadline of its own: what never ends is the gateway's to end.
ENDLESS = {FaultKind.HANG, FaultKind.SLOW_DRIP}


def test_every_fault_of_the_simulator_is_in_a_table() -> None:
    texts = {kind for kind in FaultKind if kind.is_text}  # good answers to an adapter, the parser's to judge

    assert RAISED.keys() | FINISHED.keys() | ENDLESS | texts | {FaultKind.NOT_FOUND} == set(FaultKind)


async def test_not_found_is_gone_where_the_body_says_so(model: Model, adapters: Adapters, simulator: Simulator) -> None:
    simulator.inject(model.id, Fault(FaultKind.NOT_FOUND))

    with pytest.raises((ModelGone, ModelRequestRejected)) as caught:
        await adapters.of(model).complete(model, PROMPT, KEY)

    assert type(caught.value) is {"anthropic": ModelGone, "openai": ModelRequestRejected}[model.vendor]


@pytest.mark.parametrize("kind", RAISED)
async def test_a_fault_is_raised_as_ours_and_never_tried_again_by_the_sdk(
    kind: FaultKind, model: Model, adapters: Adapters, simulator: Simulator
) -> None:
    simulator.inject(model.id, Fault(kind, count=None))

    with pytest.raises(ModelError) as caught:
        await adapters.of(model).complete(model, PROMPT, KEY)

    assert type(caught.value) is RAISED[kind]
    await simulator.until(lambda: len(simulator.calls) > 0)
    assert len(simulator.calls) == 1
    assert caught.value.__cause__ is not None  # whose class is logged
    assert KEY.reveal() not in str(caught.value)


@pytest.mark.parametrize("kind", FINISHED)
async def test_an_answer_that_ended_in_another_way_says_so(
    kind: FaultKind, model: Model, adapters: Adapters, simulator: Simulator
) -> None:
    simulator.inject(model.id, Fault(kind))

    completion = await adapters.of(model).complete(model, PROMPT, KEY)

    assert completion.finish is FINISHED[kind]
    assert completion.usage is not None
    assert completion.usage.output_tokens == simulator.calls[-1].output_tokens > 0


async def test_a_vendor_that_cannot_be_reached_was_not_sent_anything(model: Model) -> None:
    async with VendorEndpoint().serve() as url:
        pass  # and is gone again
    adapter = VENDORS[model.vendor].adapter(url)

    with pytest.raises(ModelUnreachable) as caught:
        await adapter.complete(model, PROMPT, KEY)

    await adapter.close()
    assert caught.value.retryable
    assert not caught.value.may_be_billed


ODD_BODIES = [
    b"", b"null", b"[]", b'"no"', b"{", b"<html>", b"\xff", b'{"error": null}', b'{"error": "no"}', b'{"error": []}',
    b'{"error": {"code": [], "type": {}, "message": 1, "param": [], "details": []}}',
    b'{"error": {"details": {"error_code": ["x"]}, "code": {"a": 1}}}',
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ModelRequestRejected), (402, ModelSpendLimitReached), (500, ModelOverloaded)]
)
async def test_an_error_is_known_by_its_status_whatever_its_body_says(
    status: int, kind: type[ModelError], line: Line, model: Model
) -> None:
    for body in ODD_BODIES:
        line.vendor.fails(status, body)

        with pytest.raises(kind) as caught:
            await line.adapter.complete(model, PROMPT, KEY)

        assert caught.value.status == status


def anthropic_says(kind: str, message: str = "", code: str | None = None) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, "details": {"error_code": code}}}


def openai_says(code: str | None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": "Something.", "type": kind, "code": code, "param": None}}


NO_CREDIT = "Your credit balance is too low to access the Anthropic API."
OWN_LIMIT = "You have reached your specified API usage limits. You will regain access on 2020-01-01 at 00:00 UTC."
SAID: list[tuple[str, int, dict[str, Any], type[ModelError]]] = [
    ("anthropic", 404, anthropic_says("not_found_error", "model: claude-haiku-4-5"), ModelGone),
    ("anthropic", 403, anthropic_says("permission_error", "Your API key may not use it."), ModelForbidden),
    ("anthropic", 403, anthropic_says("authentication_error"), ModelKeyRejected),
    ("anthropic", 400, anthropic_says("invalid_request_error", NO_CREDIT), ModelSpendLimitReached),
    ("anthropic", 400, anthropic_says("invalid_request_error", OWN_LIMIT), ModelSpendLimitReached),
    ("anthropic", 400, anthropic_says("invalid_request_error", OWN_LIMIT.replace(" API", " workspace API")),
     ModelSpendLimitReached),
    ("anthropic", 400, anthropic_says("invalid_request_error", "max_tokens: too low"), ModelRequestRejected),
    ("anthropic", 402, anthropic_says("billing_error"), ModelSpendLimitReached),
    ("anthropic", 429, anthropic_says("rate_limit_error", code="contract_spend_limit_reached"), ModelSpendLimitReached),
    ("anthropic", 429, anthropic_says("rate_limit_error", code="ramp_limit_exceeded"), ModelRateLimited),
    ("openai", 404, openai_says("model_not_found"), ModelGone),
    ("openai", 404, openai_says(None), ModelRequestRejected),
    ("openai", 403, openai_says("model_not_found"), ModelGone),
    ("openai", 403, openai_says("invalid_api_key"), ModelKeyRejected),
    ("openai", 403, openai_says("unsupported_country_region_territory"), ModelForbidden),
    ("openai", 429, openai_says(None, "insufficient_quota"), ModelSpendLimitReached),
    *(
        ("openai", 429, openai_says(code, "requests"), ModelSpendLimitReached)
        for code in ("insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
                     "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
                     "billing_hard_limit_reached", "billing_not_active")
    ),
    ("openai", 429, openai_says("slow_down"), ModelRateLimited),
    ("openai", 400, openai_says("unsupported_parameter"), ModelRequestRejected),
    ("openai", 503, openai_says("server_is_overloaded"), ModelOverloaded),
]  # fmt: skip


@pytest.mark.parametrize(("vendor", "status", "said", "kind"), SAID)
async def test_an_error_is_what_its_body_says(
    vendor: str, status: int, said: dict[str, Any], kind: type[ModelError]
) -> None:
    endpoint = VendorEndpoint()
    endpoint.fails(status, msgspec.json.encode(said))

    with pytest.raises(ModelError) as caught:
        await _ask(endpoint, MODELS[vendor])

    assert (type(caught.value), caught.value.status) == (kind, status)


@pytest.mark.parametrize(("days", "least", "most"), [(-1, 0, 0), (0.5, 43_000, 43_200), (30, 86_400, 86_400)])
async def test_a_spend_limit_lasts_until_its_date_or_a_day(days: float, least: float, most: float) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d at %H:%M}"
    endpoint = VendorEndpoint()
    message = OWN_LIMIT.replace("2020-01-01 at 00:00", until)
    endpoint.fails(400, msgspec.json.encode(anthropic_says("invalid_request_error", message)))

    with pytest.raises(ModelSpendLimitReached) as caught:
        await _ask(endpoint, MODELS["anthropic"])

    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most


async def test_a_vendor_that_wants_no_retry_gets_none(line: Line, model: Model) -> None:
    line.vendor.fails(503, b"{}", X_Should_Retry="false")

    with pytest.raises(ModelOverloaded) as caught:
        await line.adapter.complete(model, PROMPT, KEY)

    assert (caught.value.retryable, ModelOverloaded.retryable) == (False, True)


@pytest.mark.parametrize("status", [504, 520, 524])
async def test_a_time_out_of_the_edge_may_be_billed(status: int, line: Line, model: Model) -> None:
    line.vendor.fails(status, b"<html>")

    with pytest.raises(ModelEdgeTimeout) as caught:
        await line.adapter.complete(model, PROMPT, KEY)

    assert caught.value.may_be_billed


@pytest.mark.parametrize(
    ("vendor", "said", "billed"),
    [
        ("anthropic", {"stop_reason": "refusal", "content": []}, False),
        ("anthropic", {"stop_reason": "refusal", "content": [{"type": "text", "text": "S3 is"}]}, True),
        ("anthropic", {"stop_reason": "max_tokens", "content": []}, True),
        ("openai", {"refusal": "No.", "content": None}, True),
    ],
)
async def test_a_refusal_before_any_output_is_free(vendor: str, said: dict[str, Any], billed: bool) -> None:
    completion = await _ask(VendorEndpoint(content=said), MODELS[vendor])

    assert completion.billed is billed


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"code": 429, "message": "Slow down."}, "ModelRateLimited"),
        ({"code": 502}, "ModelOverloaded"),
        ({"code": 404, "type": "not_found_error"}, "ModelGone"),
        ({"code": "insufficient_quota"}, "ModelSpendLimitReached"),
        ({"code": [], "type": {}}, "ModelRequestRejected"),
        ("out of memory", "ModelRequestRejected"),
    ],
)
async def test_an_error_inside_a_200_is_a_bad_response_that_names_it(
    said: object, cause: str, line: Line, model: Model
) -> None:
    line.vendor.envelope = {"error": said}

    with pytest.raises(ModelBadResponse) as caught:
        await line.adapter.complete(model, PROMPT, KEY)

    assert type(caught.value.__cause__).__name__ == cause


@pytest.mark.parametrize("tokens", [-1, 10**9, 10**30, 1.5, "10", None])
async def test_a_usage_that_cannot_be_true_is_a_bad_response(tokens: object, line: Line, model: Model) -> None:
    line.vendor.usage = {"input_tokens": tokens, "prompt_tokens": tokens}

    with pytest.raises(ModelBadResponse):
        await line.adapter.complete(model, PROMPT, KEY)


# --- bounds -----------------------------------------------------------------------------------------------------------

BLANKS = b" " * 50_000_000


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_packed_answer_is_never_unpacked(pack: Callable[[bytes], bytes], line: Line, model: Model) -> None:
    await line.adapter.load()
    line.vendor.fails(200, pack(BLANKS), Content_Encoding="Gzip" if pack is gzip.compress else "deflate")

    tracemalloc.start()
    with pytest.raises(ModelBadResponse):
        await line.adapter.complete(model, PROMPT, KEY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert line.vendor.headers[0]["Accept-Encoding"] == "identity"
    assert peak < len(BLANKS) / 5


@pytest.mark.parametrize("headers", [{"Content_Encoding": "gzip"}, {}], ids=["compressed", "plain"])
async def test_an_error_is_known_although_its_body_is_beyond_all_bounds(
    headers: dict[str, str], line: Line, model: Model
) -> None:
    body = gzip.compress(BLANKS) if headers else BLANKS
    line.vendor.fails(401, body, **headers)

    with pytest.raises(ModelKeyRejected):
        await line.adapter.complete(model, PROMPT, KEY)


# --- Retry-After ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_is_passed_on(status: int, line: Line, model: Model) -> None:
    line.vendor.fails(status, b"{}", Retry_After="12.5")

    with pytest.raises((ModelRateLimited, ModelOverloaded)) as caught:
        await line.adapter.complete(model, PROMPT, KEY)

    assert caught.value.retry_after == 12.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("1e400", 3600),
        ("inf", 3600),
        ("-inf", None),
        ("nan", None),
        ("99999999999999999999", 3600),
        ("soon", None),
        ("7 seconds", None),
        ("Fri, 20 Nov 2020 10:00:00 GMT", 0),
        ("Fri, 20 Nov 9998 10:00:00 GMT", 3600),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 20 Nov 99999 10:00:00 GMT", None),
        ("Fri, 99 Nov 2020 10:00:00 GMT", None),
    ],
)
def test_a_retry_after_is_a_number_from_none_to_an_hour_or_nothing(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds({} if header is None else {"retry-after": header}) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "20000"}, 20),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after-ms": "1e400"}, 3600),
    ],
)
def test_a_retry_after_in_milliseconds_goes_before(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_seconds(headers) == seconds


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is nine hours ahead of GMT."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000", ""])
def test_a_retry_after_that_is_a_date_is_in_gmt(zone: str, far_east: None) -> None:
    half_an_hour_from_now = datetime.now(UTC) + timedelta(minutes=30)
    header = format_datetime(half_an_hour_from_now, usegmt=True).replace("GMT", zone).strip()

    seconds = retry_after_seconds({"retry-after": header})

    assert seconds is not None
    assert 1500 < seconds <= 1800


# --- every exception of the SDKs --------------------------------------------------------------------------------------

BY_STATUS = {
    401: ModelKeyRejected, 402: ModelSpendLimitReached, 403: ModelForbidden, 429: ModelRateLimited,
    504: ModelEdgeTimeout,
}  # fmt: skip
# Exceptions that no HTTP status identifies. A new one fails the test until its meaning is decided here.
BY_NAME: dict[str, type[ModelError]] = {
    "APITimeoutError": ModelTimeout,
    "APIConnectionError": ModelConnectionFailed,
    "ContractSpendLimitReachedError": ModelSpendLimitReached,
    "EnforcedSpendLimitReachedError": ModelSpendLimitReached,
} | dict.fromkeys(
    ["AnthropicError", "OpenAIError", "APIError", "APIResponseValidationError", "APIWebhookValidationError",
     "CredentialsError", "IdentityTokenFileError", "RetryableError", "WorkloadIdentityError",
     "LengthFinishReasonError", "ContentFilterFinishReasonError", "InvalidWebhookSignatureError",
     "SubjectTokenProviderError", "WebSocketConnectionClosedError", "WebSocketQueueFullError"],
    ModelBadResponse,
)  # fmt: skip


def exceptions(sdk: ModuleType) -> Iterator[type[Exception]]:
    public = {name: getattr(sdk, name) for name in dir(sdk) if not name.startswith("_")}
    exported = public | dict(vars(sdk._exceptions))
    classes = [thing for thing in exported.values() if isinstance(thing, type) and issubclass(thing, Exception)]
    return (kind for kind in dict.fromkeys(classes) if kind.__module__.startswith(sdk.__name__))


def instance(sdk: ModuleType, kind: type[Exception]) -> Exception:
    """An instance of the exception as the SDK would raise it."""
    error: Any = kind.__new__(kind)
    if issubclass(kind, sdk.APIStatusError):
        error.status_code = vars(kind).get("status_code") or getattr(kind, "status_code", 500)
        error.response = httpx2.Response(error.status_code)
        error.type = error.api_message = None
        error.code = error.error_code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__.removesuffix("Error")).lower()
    return error  # type: ignore[no-any-return]


def expected(error: Any) -> type[ModelError] | None:
    named = BY_NAME.get(type(error).__name__)
    if named or not hasattr(error, "status_code"):
        return named
    otherwise = ModelOverloaded if error.status_code >= 500 else ModelRequestRejected
    return BY_STATUS.get(error.status_code, otherwise)


def translating(vendor: str) -> AbstractContextManager[None]:
    adapters = {"anthropic": anthropic_adapter._translated_errors, "openai": openai_adapter._translated_errors}
    return adapters[vendor]()


@pytest.mark.parametrize(
    ("vendor", "kind"),
    [
        pytest.param(vendor, kind, id=f"{vendor}.{kind.__name__}")
        for vendor, sdk in SDKS.items()
        for kind in exceptions(sdk)
    ],
)
def test_every_exception_an_sdk_exports_is_one_of_ours(vendor: str, kind: type[Exception]) -> None:
    error = instance(SDKS[vendor], kind)
    assert expected(error), f"{vendor} has a new exception, {kind.__name__}: decide what it means here"

    with pytest.raises(ModelError) as caught, translating(vendor):
        raise error

    assert type(caught.value) is expected(error)


@pytest.mark.parametrize("vendor", SDKS)
def test_a_defect_of_ours_is_not_taken_for_the_vendors(vendor: str) -> None:
    with pytest.raises(LookupError), translating(vendor):
        raise LookupError
