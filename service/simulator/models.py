"""The models that the simulated vendors know."""

from dataclasses import dataclass
from random import Random

# The share of the time that does not depend on the length: three sayings take about 1.5 times as long as one.
FIXED_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    vendor: str
    snapshot: str  # the dated name, which is what both vendors put into their answers
    max_output: int
    tokens_of_one_saying: int  # with its envelope
    median_seconds: float  # for that many tokens
    spread: float  # sigma of the log-normal distribution

    def seconds(self, output_tokens: int, rng: Random) -> float:
        length = FIXED_SHARE + (1 - FIXED_SHARE) * output_tokens / self.tokens_of_one_saying
        return self.median_seconds * length * rng.lognormvariate(0.0, self.spread)


_ALL = (
    Model("claude-haiku-4-5", "anthropic", "claude-haiku-4-5-20251001", 64_000, 37, 0.9, 0.25),
    Model("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5-20250929", 64_000, 51, 1.8, 0.30),
    Model("gpt-4.1", "openai", "gpt-4.1-2025-04-14", 32_768, 49, 1.4, 0.35),
    Model("gpt-4.1-mini", "openai", "gpt-4.1-mini-2025-04-14", 32_768, 42, 0.8, 0.35),
)
MODELS = {model.id: model for model in _ALL}
_BY_NAME = MODELS | {model.snapshot: model for model in _ALL}


def find_model(name: str) -> Model | None:
    """By its id or its dated name."""
    return _BY_NAME.get(name)
