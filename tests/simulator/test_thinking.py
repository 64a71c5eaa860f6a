"""What each model thinks before it writes, how it is told not to, and what it refuses."""

from typing import Any

import pytest

from tests.simulator.world import World, body_of, error_of, text_of

HAIKU, SONNET, GPT, TERRA = "claude-haiku-5-5", "claude-sonnet-5-5", "gpt-4.1", "gpt-6.1-terra"


def at(model: str, **changes: Any) -> tuple[str, bytes]:
    """The protocol of a model, and a request for it."""
    protocol = "messages" if model.startswith("claude") else "chat"
    return protocol, body_of(protocol, model=model, **changes)


def turn() -> dict[str, str]:
    return {"role": "user", "content": "Write one saying.\n- Amazon S3\n"}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("claude-haiku-4-5", {"thinking": {"type": "adaptive"}}),
        ("claude-sonnet-4-5", {"output_config": {"effort": "low"}}),
        (HAIKU, {"thinking": {"type": "enabled", "budget_tokens": 1_024}}),
        (HAIKU, {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}),
        (SONNET, {"thinking": {"type": "disabled"}}),
        *[(model, {"temperature": 0.5}) for model in (HAIKU, SONNET, TERRA)],
        (SONNET, {"top_k": 5}),
        (HAIKU, {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]}),
        (HAIKU, {"service_tier": "priority"}),
        (GPT, {"reasoning_effort": "low"}),
        (TERRA, {"max_tokens": 500}),
        (TERRA, {"reasoning_effort": "utmost"}),
    ],
)
async def test_what_a_model_does_not_do_is_refused(world: World, model: str, changes: dict[str, Any]) -> None:
    protocol, body = at(model, **changes)

    response = await world.post(protocol, body)

    assert (response.status_code, error_of(protocol, response)["type"]) == (400, "invalid_request_error")


async def test_openai_names_the_parameter_that_it_does_not_support(world: World) -> None:
    error = error_of("chat", await world.post(*at(TERRA, max_tokens=500)))

    assert (error["code"], error["param"]) == ("unsupported_parameter", "max_tokens")


@pytest.mark.parametrize(("model", "off"), [(HAIKU, "disabled"), (SONNET, "between_tools")])
async def test_claude_thinks_in_a_hidden_block_unless_told_not_to(world: World, model: str, off: str) -> None:
    thinking = await world.claude.messages.create(model=model, max_tokens=2_000, messages=[turn()])
    plain = await world.claude.messages.create(model=model, max_tokens=2_000, messages=[turn()], thinking={"type": off})

    assert [block.type for block in thinking.content] == ["thinking", "text"]
    assert thinking.usage.output_tokens > thinking.usage.output_tokens_details.thinking_tokens > 0
    assert [block.type for block in plain.content] == ["text"]
    assert plain.usage.output_tokens_details.thinking_tokens == 0


async def test_gpt_counts_what_it_thinks_unless_told_not_to(world: World) -> None:
    create = world.gpt.chat.completions.create
    thinking = await create(model=TERRA, max_completion_tokens=2_000, messages=[turn()])
    plain = await create(model=TERRA, max_completion_tokens=2_000, messages=[turn()], reasoning_effort="none")

    used = thinking.usage.completion_tokens_details.reasoning_tokens
    assert thinking.usage.completion_tokens > used > plain.usage.completion_tokens_details.reasoning_tokens == 0


async def test_thinking_can_eat_the_whole_limit(world: World) -> None:
    claude = await world.claude.messages.create(model=SONNET, max_tokens=600, messages=[turn()])
    chat = await world.gpt.chat.completions.create(model=TERRA, max_completion_tokens=600, messages=[turn()])

    assert ([block.type for block in claude.content], claude.stop_reason) == (["thinking"], "max_tokens")
    assert (text_of("chat", chat), chat.choices[0].finish_reason) == ("", "length")
    assert claude.usage.output_tokens == chat.usage.completion_tokens == 600
