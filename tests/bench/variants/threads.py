"""A round as the original design has it: a thread for each model, the SDKs' blocking clients, a key cache in a dict."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai

from service.catalogue.models import Model
from service.catalogue.topics import Topics
from service.domain import Saying
from service.llm.parse import Parser
from service.llm.prompt import Prompt, build_prompt
from service.participants import SIMULATED_KEY
from workers.round import SERVICES_PER_MODEL

KEY_SECONDS = 300.0


class ThreadPoolRound:
    """All models at once, each in a thread of its own."""

    def __init__(self, simulator_url: str, topics: Topics, models: Sequence[Model]) -> None:
        self._topics = topics
        self._parser = Parser(topics, ())
        self._models = models
        self._keys: dict[str, str] = {}
        self._keys_read_at = 0.0
        self._anthropic = anthropic.Anthropic(api_key=SIMULATED_KEY, base_url=f"{simulator_url}/anthropic")
        self._openai = openai.OpenAI(api_key=SIMULATED_KEY, base_url=f"{simulator_url}/openai/v1")
        self._cache: dict[str, list[Saying]] = {}

    def run(self) -> int:
        """How many sayings came."""
        with ThreadPoolExecutor(max_workers=len(self._models)) as pool:
            return sum(pool.map(self._take_part, self._models))

    def close(self) -> None:
        self._anthropic.close()
        self._openai.close()

    def _take_part(self, model: Model) -> int:
        self._key(model.vendor)
        prompt = build_prompt(self._topics, random.sample(self._topics.names, SERVICES_PER_MODEL))
        drafts = self._parser.parse(self._call(model, prompt), prompt).drafts
        self._cache[model.id] = [Saying(draft.saying_id, draft.text, draft.services, model.id) for draft in drafts]
        return len(drafts)

    def _key(self, vendor: str) -> str:
        if vendor not in self._keys or time.time() - self._keys_read_at > KEY_SECONDS:
            self._keys[vendor] = SIMULATED_KEY
            self._keys_read_at = time.time()
        return self._keys[vendor]

    def _call(self, model: Model, prompt: Prompt) -> str:
        if model.vendor == "anthropic":
            message = self._anthropic.messages.create(
                model=model.id,
                max_tokens=model.max_tokens,
                system=prompt.system,
                messages=[{"role": "user", "content": prompt.user}],
            )
            return "".join(block.text for block in message.content if block.type == "text")
        completion = self._openai.chat.completions.create(
            model=model.id,
            max_tokens=model.max_tokens,
            messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
        )
        return completion.choices[0].message.content or ""
