"""What telemetry is told of a call to a model."""

from urllib.parse import urlsplit

import msgspec

from service.catalogue.models import Model
from service.domain import Generation
from service.errors import ModelError
from service.llm.adapter import Completion, Finish
from telemetry.events import ModelCalled

# OpenTelemetry's words.
_FINISH_REASONS = {Finish.DONE: "stop", Finish.TRUNCATED: "length", Finish.REFUSED: "content_filter"}
_PORTS = {"http": 80, "https": 443}


def report_of(
    model: Model,
    base_url: str,
    attempt: int,
    generation: Generation,
    failure: ModelError | None,
    completion: Completion | None = None,
) -> ModelCalled:
    """The event of a call to a model at the endpoint with this URL; without a completion it was not answered."""
    url, cause = urlsplit(base_url), failure.__cause__ if failure else None
    event = ModelCalled(
        model=model.id,
        vendor=model.vendor,
        kind=generation.kind,
        attempt=attempt,
        api_time_ms=generation.latency_ms,
        error_type=type(failure).__name__ if failure else "",
        error_message=str(failure or ""),
        cause=type(cause).__name__ if cause else "",
        status=failure.status if failure else None,
        generation_id=generation.generation_id,
        simulated=generation.simulated,
        display_name=model.display_name,
        server_address=url.hostname or "",
        server_port=url.port or _PORTS.get(url.scheme),
        prompt_version=generation.prompt_version,
        max_tokens=model.max_tokens,
        output_type="json" if model.structured_output else "",
    )
    if completion is None:
        return event
    usage = generation.usage
    return msgspec.structs.replace(
        event,
        status=200,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        thinking_tokens=usage.thinking_tokens,
        cost_nanos=generation.cost_nanos,
        response_id=completion.response_id,
        response_model=generation.snapshot,
        finish_reason=_FINISH_REASONS[completion.finish],
    )
