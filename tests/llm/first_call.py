"""A fresh process that preloads, calls each vendor at a URL once, and writes which modules the calls imported."""

import asyncio
import json
import sys

from service.catalogue.models import load_catalogue
from service.catalogue.topics import load_topics
from service.keys.secret import Secret
from service.llm.prompt import build_prompt
from service.llm.vendors import VENDORS, Adapters


async def main(url: str) -> None:
    models = {model.vendor: model for model in load_catalogue(VENDORS)}
    adapters, prompt = Adapters(VENDORS, url), build_prompt(load_topics(), ["Amazon S3"])
    for model in models.values():
        await adapters.of(model).load()

    loaded = set(sys.modules)
    for model in models.values():
        await adapters.of(model).complete(model, prompt, Secret("sk-simulated"))
    sys.stdout.write(json.dumps(sorted(set(sys.modules) - loaded)))
    await adapters.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
