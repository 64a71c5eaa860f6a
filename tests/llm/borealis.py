"""The adapter of a third vendor, a made-up one: all the code of a vendor that speaks by a client of its own."""

from datetime import date

import aiohttp

from service.catalogue.lifecycle import LifeStage
from service.catalogue.models import Model
from service.domain import Usage
from service.keys.secret import Secret
from service.llm.adapter import Completion, Finish
from service.llm.failures import status_error
from service.llm.prompt import Prompt
from telemetry.outbound import DIRECT, Outbound


class BorealisAdapter:
    def __init__(self, base_url: str, outbound: Outbound = DIRECT) -> None:
        self._url = f"{base_url}/chat/completions"
        self._proxy = outbound.proxy_for(base_url) or None
        self._session: aiohttp.ClientSession | None = None

    def preload(self) -> None: ...

    async def load(self) -> None:
        self._opened()

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        asked = {"model": model.id, "max_tokens": model.max_tokens, "messages": messages}
        headers = {"Authorization": f"Bearer {key.reveal()}"}
        async with self._opened().post(self._url, json=asked, headers=headers, proxy=self._proxy) as response:
            if response.status != 200:
                raise status_error(response.status, headers=response.headers)
            answer = await response.json()
        usage = Usage(answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"])
        return Completion(answer["id"], answer["choices"][0]["message"]["content"], Finish.DONE, usage)

    async def lifecycle(self, model: Model, key: Secret) -> tuple[LifeStage, date | None]:
        return LifeStage.ACTIVE, None  # it has nowhere to ask

    async def close(self) -> None:
        await self._opened().close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session
