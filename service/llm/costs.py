"""What a call costs: the most it can, and what it did as far as what the vendor says of it can be true."""

import re

import msgspec

from service.catalogue import line_up
from service.catalogue.models import Catalogue, Model, Price
from service.domain import Usage
from service.llm.adapter import Completion
from service.llm.prompt import OUTPUT_SCHEMA, Prompt
from telemetry.events import Listener, PriceMissing, UsageDoubted

# Tokens a vendor may count beyond one for every byte we send: roles, framing, the schema's own instructions.
OVERHEAD_TOKENS = 512
_SCHEMA_BYTES = len(msgspec.json.encode(OUTPUT_SCHEMA))
_NO_USAGE = Usage(0, 0)


class Costs:
    """The prices of the day, in nanodollars."""

    def __init__(self, catalogue: Catalogue, listener: Listener) -> None:
        self._listener = listener
        self._prices = [price for model in catalogue for price in model.prices]
        for model in catalogue:
            if not model.prices:
                listener.emit(PriceMissing(model.id))

    def worst_case(self, model: Model, prompt: Prompt) -> int:
        """The most that a call can cost; a model without a price counts as the dearest of the catalogue."""
        price, worst = model.price_on(line_up.today()), _most(model, prompt)
        return max((_dearest(each, worst) for each in ([price] if price else self._prices)), default=0)

    def of(self, model: Model, prompt: Prompt, completion: Completion) -> tuple[Usage, int | None]:
        """The tokens that can be true and their cost, which is the worst case where the vendor's count is doubted.

        None is the cost at a model without a price.
        """
        price, worst = model.price_on(line_up.today()), _most(model, prompt)
        usage = _possible(completion.usage or _NO_USAGE, worst)
        if price is None:
            return usage, None
        if not completion.billed:
            return usage, 0
        most = _dearest(price, worst)
        doubt = _doubt(model, completion, worst) if most else ""  # what is free needs no belief
        if not doubt:
            return usage, price.cost_nanos(usage)
        self._listener.emit(UsageDoubted(model.id, doubt))
        return usage, most


def is_name_of(model: Model, answered: str) -> bool:
    """Whether a model answers by its own name, or by that of its dated snapshot.

    Endpoints of one's own call models as they like, and some answers have no name.
    """
    dated = re.escape(model.vendors_name) + r"(-\d{8}|-\d{4}-\d{2}-\d{2})?"
    return bool(model.base_url or not answered or re.fullmatch(dated, answered))


def _most(model: Model, prompt: Prompt) -> Usage:
    """More tokens than these no call can take. What a model thinks is within the limit of its output."""
    sent_bytes = len(prompt.system.encode()) + len(prompt.user.encode()) + _SCHEMA_BYTES
    return Usage(sent_bytes + OVERHEAD_TOKENS, model.max_tokens)


def _dearest(price: Price, worst: Usage) -> int:
    """The cost if all the input is fresh, or all of it is written to the cache, which some vendors do unasked."""
    cached = Usage(worst.input_tokens, worst.output_tokens, cache_write_tokens=worst.input_tokens)
    return max(price.cost_nanos(worst), price.cost_nanos(cached))


def _possible(usage: Usage, worst: Usage) -> Usage:
    """The usage with each number within what it is a part of."""
    input_tokens = min(usage.input_tokens, worst.input_tokens)
    output_tokens = min(usage.output_tokens, worst.output_tokens)
    cached = min(usage.cached_input_tokens, input_tokens)
    written = min(usage.cache_write_tokens, input_tokens - cached)
    return Usage(input_tokens, output_tokens, cached, written, min(usage.thinking_tokens, output_tokens))


def _doubt(model: Model, completion: Completion, worst: Usage) -> str:
    """Why the vendor's count is not to be believed, or ""."""
    usage = completion.usage
    if usage is None:
        return "no_usage"
    doubts = {
        "nothing_for_text": bool(completion.text) and not (usage.input_tokens and usage.output_tokens),
        "cached_above_input": usage.cached_input_tokens + usage.cache_write_tokens > usage.input_tokens,
        "above_the_possible": usage.input_tokens > worst.input_tokens or usage.output_tokens > worst.output_tokens,
        "unasked_tier": bool(completion.tier),
        "another_model": not is_name_of(model, completion.snapshot),
    }
    return next((doubt for doubt, found in doubts.items() if found), "")
