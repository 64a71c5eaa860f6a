"""The adapter for OpenAI's Chat Completions API, which compatible endpoints speak too, on the vendor's own SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
from msgspec import Meta

from service.catalogue import Model
from service.domain import Usage
from service.errors import (
    ModelBadResponse,
    ModelConnectionFailed,
    ModelTimeout,
    ModelUnreachable,
)
from service.llm.base import Completion, Finish, LazyClient, status_error
from service.llm.prompt import OUTPUT_SCHEMA, Prompt
from service.secret import Secret

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.shared_params import ResponseFormatJSONSchema


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _PromptDetails | None = None


class _ChatCompletion(msgspec.Struct):
    """The part of the answer that matters here; everything else the vendor may add is passed over."""

    id: str
    choices: Annotated[list[_Choice], Meta(min_length=1)]
    usage: _Usage


_FINISHES = {"stop": Finish.DONE, "content_filter": Finish.REFUSED}
# Codes that only somebody with a credit card can clear; the status is the rate limit's, 429.
_SPEND_LIMIT_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class OpenAiAdapter:
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    simulator_path: ClassVar[str] = "/openai/v1"

    def __init__(self, base_url: str) -> None:
        self._client = LazyClient(lambda: _new_client(base_url))

    async def load(self) -> None:
        await self._client.load()

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        client = await self._client.with_key(key)
        from openai import omit  # loaded by now

        with _translated_errors():
            # The raw body, decoded by us: for a 200 with junk in it the SDK returns junk without a word.
            response = await client.chat.completions.with_raw_response.create(
                model=model.id,
                max_tokens=model.max_tokens,  # the name that every compatible endpoint knows
                messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
                response_format=_RESPONSE_FORMAT if model.structured_output else omit,
            )
            answer = msgspec.json.decode(response.http_response.content, type=_ChatCompletion)
        choice = answer.choices[0]
        finish = _FINISHES.get(choice.finish_reason or "", Finish.TRUNCATED)
        return Completion(
            response_id=answer.id,
            text=choice.message.content or "",
            finish=Finish.REFUSED if choice.message.refusal else finish,
            usage=_usage(answer.usage),
        )

    async def close(self) -> None:
        await self._client.close()


_RESPONSE_FORMAT: "ResponseFormatJSONSchema" = {
    "type": "json_schema",
    "json_schema": {"name": "sayings", "strict": True, "schema": OUTPUT_SCHEMA},
}


def _new_client(base_url: str) -> "AsyncOpenAI":
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    return AsyncOpenAI(
        api_key="unset",  # every call brings its own
        base_url=base_url,
        timeout=None,  # the gateway owns the time,
        max_retries=0,  # and the retries
        http_client=DefaultAsyncHttpxClient(follow_redirects=False, trust_env=False, timeout=None),
    )


def _usage(usage: _Usage) -> Usage:
    details = usage.prompt_tokens_details
    return Usage(usage.prompt_tokens, usage.completion_tokens, (details and details.cached_tokens) or 0)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """The SDK's errors as ours. Their texts hold the prompt and their requests the key: only classes cross over."""
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise status_error(
            error.status_code,
            spend_limit=error.code in _SPEND_LIMIT_CODES,
            retry_after=error.response.headers.get("retry-after"),
        ) from error
    except openai.APITimeoutError as error:
        raise ModelTimeout("The vendor did not answer in time.") from error
    except openai.APIConnectionError as error:
        if isinstance(error.__cause__, httpx2.ConnectError):
            raise ModelUnreachable("The vendor cannot be reached.") from error
        raise ModelConnectionFailed("The connection to the vendor broke.") from error
    except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:  # ValueError: what decoding raises
        raise ModelBadResponse("The vendor's answer makes no sense.") from error
