"""The adapters, driven through the vendors' own SDKs over the wire."""

import asyncio
import gc
import re
import time
import warnings
from collections.abc import AsyncIterator, Iterator
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
    ModelError,
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
from service.llm.adapter import Finish, ModelAdapter, retry_after_seconds
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
        ("anthropic", {"cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}, Usage(18, 2, 5)),
        ("anthropic", {"cache_read_input_tokens": None}, Usage(10, 2, 0)),
        ("openai", {"prompt_tokens_details": {"cached_tokens": 5}}, Usage(10, 2, 5)),
        ("openai", {"prompt_tokens_details": {"cached_tokens": None}}, Usage(10, 2, 0)),
        ("openai", {"prompt_tokens_details": None}, Usage(10, 2, 0)),
    ],
)
async def test_cached_tokens_are_counted_among_the_input(vendor: str, usage: dict[str, Any], counted: Usage) -> None:
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
    FaultKind.FORBIDDEN: ModelKeyRejected,
    FaultKind.NOT_FOUND: ModelRequestRejected,
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

    assert RAISED.keys() | FINISHED.keys() | ENDLESS | texts == set(FaultKind)


@pytest.mark.parametrize("kind", RAISED)
async def test_a_fault_is_raised_as_ours_and_never_tried_again_by_the_sdk(
    kind: FaultKind, model: Model, adapters: Adapters, simulator: Simulator
) -> None:
    simulator.inject(model.id, Fault(kind, count=None))

    with pytest.raises(ModelError) as caught:
        await adapters.of(model).complete(model, PROMPT, KEY)

    assert type(caught.value) is RAISED[kind]
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


@pytest.mark.parametrize("tokens", [-1, 10**9, 10**30, 1.5, "10", None])
async def test_a_usage_that_cannot_be_true_is_a_bad_response(tokens: object, line: Line, model: Model) -> None:
    line.vendor.usage = {"input_tokens": tokens, "prompt_tokens": tokens}

    with pytest.raises(ModelBadResponse):
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
    assert retry_after_seconds(header) == seconds


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

    seconds = retry_after_seconds(header)

    assert seconds is not None
    assert 1500 < seconds <= 1800


# --- every exception of the SDKs --------------------------------------------------------------------------------------

BY_STATUS = {401: ModelKeyRejected, 402: ModelSpendLimitReached, 403: ModelKeyRejected, 429: ModelRateLimited}
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
