"""The adapter for Anthropic's Messages API, on the vendor's own SDK."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from service.catalogue.lifecycle import LifeStage
from service.catalogue.models import Model
from service.domain import Usage
from service.errors import (
    ModelBadResponse,
    ModelConnectionFailed,
    ModelTimeout,
    ModelUnreachable,
)
from service.keys.secret import Secret
from service.llm.adapter import Completion, Finish, LazyClient, Tokens, unasked_tier
from service.llm.failures import decoded, status_error
from service.llm.prompt import OUTPUT_SCHEMA, Prompt
from telemetry.outbound import DIRECT, Outbound

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import OutputConfigParam, ThinkingConfigParam

_Effort = Literal["low", "medium", "high", "xhigh", "max"]


class _Block(msgspec.Struct):
    type: str
    text: str | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    input_tokens: Tokens
    output_tokens: Tokens
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    output_tokens_details: _OutputDetails | None = None
    service_tier: str | None = None


class _Message(msgspec.Struct):
    """The part of the response that is used here; any other fields are ignored."""

    id: str
    content: list[_Block]
    usage: _Usage
    stop_reason: str | None = None
    model: str | None = None


class _ModelInfo(msgspec.Struct):
    lifecycle: LifeStage
    retires_at: datetime | None = None


# The tier without a surcharge: how it is asked for, and what the answer calls it.
_ASKED_TIER: Literal["standard_only"] = "standard_only"
_ANSWERED_TIER = "standard"

_FINISHES = {
    "end_turn": Finish.DONE,
    "stop_sequence": Finish.DONE,
    "refusal": Finish.REFUSED,
    "max_tokens": Finish.TRUNCATED,
    "model_context_window_exceeded": Finish.TRUNCATED,
}


class AnthropicAdapter:
    def __init__(self, base_url: str, outbound: Outbound = DIRECT) -> None:
        self._client = LazyClient(lambda: _new_client(base_url, outbound))

    def preload(self) -> None:
        self._client.preload()

    async def load(self) -> None:
        await self._client.load()

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        client = await self._client.with_key(key)
        from anthropic import omit  # the client has loaded the SDK by now

        _hush_deprecations()
        with _translated_errors():
            # We decode the response ourselves, because the SDK does not validate it: it would return the junk of a
            # faulty 200 without an error. We read it ourselves to distinguish a connection that breaks in the middle
            # of a 200 from one that breaks before it.
            async with client.messages.with_streaming_response.create(
                model=model.vendors_name,
                max_tokens=model.max_tokens,
                system=prompt.system,
                messages=[{"role": "user", "content": prompt.user}],
                output_config=_output_config(model) or omit,
                thinking=_thinking(model) or omit,
                service_tier=omit if model.base_url else _ASKED_TIER,
            ) as response:
                message = decoded(await response.read(), _Message)
        text = "".join(block.text or "" for block in message.content if block.type == "text")
        return Completion(
            response_id=message.id,
            text=text,
            finish=_FINISHES.get(message.stop_reason or "", Finish.TRUNCATED),
            usage=_usage(message.usage),
            billed=bool(text) or message.stop_reason != "refusal",  # refused before any output, it is free
            snapshot=message.model or "",
            tier=unasked_tier(model, message.usage.service_tier, _ANSWERED_TIER),
        )

    async def lifecycle(self, model: Model, key: Secret) -> tuple[LifeStage, date | None]:
        client = await self._client.with_key(key)
        _hush_deprecations()
        with _translated_errors():
            async with client.models.with_streaming_response.retrieve(model.vendors_name) as response:
                info = decoded(await response.read(), _ModelInfo)
        return info.lifecycle, info.retires_at and info.retires_at.date()

    async def close(self) -> None:
        await self._client.close()


def _output_config(model: Model) -> "OutputConfigParam":
    config: OutputConfigParam = {}
    if model.structured_output:
        config["format"] = {"type": "json_schema", "schema": OUTPUT_SCHEMA}
    if model.effort:
        config["effort"] = cast("_Effort", model.effort)  # what a model cannot do is the vendor's to refuse
    return config


def _thinking(model: Model) -> "ThinkingConfigParam | None":
    return cast("ThinkingConfigParam", {"type": model.thinking}) if model.thinking else None


def _new_client(base_url: str, outbound: Outbound) -> "AsyncAnthropic":
    from anthropic import DEFAULT_CONNECTION_LIMITS, AsyncAnthropic

    from service.llm.bounded_http import bounded_client

    return AsyncAnthropic(
        api_key="unset",  # every call sets its own key
        base_url=base_url,
        timeout=None,  # the gateway has the deadline
        max_retries=0,  # and it decides on retries
        open_telemetry=False,  # we report each call as one span ourselves
        http_client=bounded_client(base_url, outbound, DEFAULT_CONNECTION_LIMITS),
    )


def _hush_deprecations() -> None:
    """Ignore the SDK's warning that a model will be retired, which it repeats at every call.

    The catalogue holds that date already, and where warnings are errors the warning would end the call. The filter is
    set at every call, because filters are global and any code that resets them removes it. Setting it again does not
    add a second one.
    """
    warnings.filterwarnings("ignore", message="The model '.*' is deprecated", category=DeprecationWarning)


def _usage(usage: _Usage) -> Usage:
    """The usage with the cached tokens among the input tokens; Anthropic counts them separately."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    thinking = usage.output_tokens_details and usage.output_tokens_details.thinking_tokens
    return Usage(usage.input_tokens + read + written, usage.output_tokens, read, written, thinking or 0)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate the SDK's errors into the service's by their class.

    The text of an SDK error may contain the prompt, and its request the key, so neither is copied.
    """
    import anthropic
    import httpx2

    try:
        yield
    except anthropic.APIStatusError as error:
        raise status_error(
            error.status_code,
            words=(error.type, error.error_code),
            message=error.api_message,
            headers=error.response.headers,
        ) from error
    except anthropic.APITimeoutError as error:
        raise ModelTimeout("The vendor did not answer in time.") from error
    except anthropic.APIConnectionError as error:
        if isinstance(error.__cause__, httpx2.ProxyError):
            raise ModelUnreachable("The proxy refuses to connect to the vendor.") from error
        if isinstance(error.__cause__, httpx2.ConnectError):
            raise ModelUnreachable("The vendor cannot be reached.") from error
        raise ModelConnectionFailed("The connection to the vendor broke.") from error
    except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:  # from reading or decoding a 200
        raise ModelBadResponse("The vendor's answer makes no sense.") from error
