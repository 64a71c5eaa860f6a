"""The adapter for OpenAI's Chat Completions API and for compatible endpoints, on the vendor's own SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

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
    from openai import AsyncOpenAI
    from openai.types.shared_params import ResponseFormatJSONSchema


class _Part(msgspec.Struct):
    type: str
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None  # some compatible endpoints respond with parts
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Tokens
    completion_tokens: Tokens
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _ChatCompletion(msgspec.Struct):
    """The part of the response that is used here; any other fields are ignored."""

    choices: Annotated[list[_Choice], Meta(min_length=1)]
    # What some compatible endpoints leave out.
    id: str | None = None
    usage: _Usage | None = None
    model: str | None = None
    service_tier: str | None = None


class _ModelInfo(msgspec.Struct):
    id: str
    shutdown_date: date | None = None


# Without it the account's settings choose a tier, and with it the price.
_TIER: Literal["default"] = "default"

_FINISHES = {"stop": Finish.DONE, "content_filter": Finish.REFUSED}
# Compatible endpoints' words for having finished, which count if there is a text.
_OTHER_ENDS = frozenset({None, "eos", "STOP", "end_turn"})


class OpenAiAdapter:
    def __init__(self, base_url: str, outbound: Outbound = DIRECT) -> None:
        self._client = LazyClient(lambda: _new_client(base_url, outbound))

    def preload(self) -> None:
        self._client.preload()

    async def load(self) -> None:
        await self._client.load()

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        client = await self._client.with_key(key)
        from openai import omit  # the client has loaded the SDK by now

        with _translated_errors():
            # We decode the response ourselves, because the SDK does not validate it: it would return the junk of a
            # faulty 200 without an error. We read it ourselves to distinguish a connection that breaks in the middle
            # of a 200 from one that breaks before it.
            async with client.chat.completions.with_streaming_response.create(
                model=model.vendors_name,
                max_tokens=model.max_tokens if model.output_limit == "max_tokens" else omit,
                max_completion_tokens=model.max_tokens if model.output_limit == "max_completion_tokens" else omit,
                reasoning_effort=model.effort or omit,
                service_tier=omit if model.base_url else _TIER,
                messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
                response_format=_RESPONSE_FORMAT if model.structured_output else omit,
            ) as response:
                answer = decoded(await response.read(), _ChatCompletion)
        choice = answer.choices[0]
        text = _text(choice.message.content)
        return Completion(
            response_id=answer.id or "",
            text=text,
            finish=_finish(choice, text),
            usage=_usage(answer.usage) if answer.usage else None,
            snapshot=answer.model or "",
            tier=unasked_tier(model, answer.service_tier, _TIER),
        )

    async def lifecycle(self, model: Model, key: Secret) -> tuple[LifeStage, date | None]:
        client = await self._client.with_key(key)
        with _translated_errors():
            async with client.models.with_streaming_response.retrieve(model.vendors_name) as response:
                ends = decoded(await response.read(), _ModelInfo).shutdown_date
        return LifeStage.DEPRECATED if ends else LifeStage.ACTIVE, ends

    async def close(self) -> None:
        await self._client.close()


_RESPONSE_FORMAT: "ResponseFormatJSONSchema" = {
    "type": "json_schema",
    "json_schema": {"name": "sayings", "strict": True, "schema": OUTPUT_SCHEMA},
}


def _new_client(base_url: str, outbound: Outbound) -> "AsyncOpenAI":
    from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI

    from service.llm.bounded_http import bounded_client

    client = AsyncOpenAI(
        api_key="unset",  # every call sets its own key
        base_url=base_url,
        timeout=None,  # the gateway has the deadline
        max_retries=0,  # and it decides on retries
        http_client=bounded_client(base_url, outbound, DEFAULT_CONNECTION_LIMITS),
    )
    attrgetter("chat.completions.with_streaming_response")(client)  # the SDK imports these parts when first used
    return client


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content if part.type == "text")
    return content or ""


def _finish(choice: _Choice, text: str) -> Finish:
    if choice.message.refusal:
        return Finish.REFUSED
    if text and choice.finish_reason in _OTHER_ENDS:
        return Finish.DONE
    return _FINISHES.get(choice.finish_reason or "", Finish.TRUNCATED)


def _usage(usage: _Usage) -> Usage:
    read = usage.prompt_tokens_details or _PromptDetails()
    written = usage.completion_tokens_details or _CompletionDetails()
    return Usage(
        usage.prompt_tokens,
        usage.completion_tokens,
        read.cached_tokens or 0,
        read.cache_write_tokens or 0,
        written.reasoning_tokens or 0,
    )


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate the SDK's errors into the service's by their class.

    The text of an SDK error may contain the prompt, and its request the key, so neither is copied.
    """
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise status_error(error.status_code, words=(error.type, error.code), headers=error.response.headers) from error
    except openai.APITimeoutError as error:
        raise ModelTimeout("The vendor did not answer in time.") from error
    except openai.APIConnectionError as error:
        if isinstance(error.__cause__, httpx2.ProxyError):
            raise ModelUnreachable("The proxy refuses to connect to the vendor.") from error
        if isinstance(error.__cause__, httpx2.ConnectError):
            raise ModelUnreachable("The vendor cannot be reached.") from error
        raise ModelConnectionFailed("The connection to the vendor broke.") from error
    except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:  # from reading or decoding a 200
        raise ModelBadResponse("The vendor's answer makes no sense.") from error
