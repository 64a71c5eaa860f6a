"""The sampler of the spans that other libraries start."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
from opentelemetry.sdk.trace.sampling import Sampler as SdkSampler
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from telemetry.sampling import Sampler
from telemetry.traces import Trace


class SamplerOfOthers(SdkSampler):
    """Keeps a span if it is below one of this process that is kept; decides about others as about our own traces."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        asked = parent.trace_flags.sampled if parent.is_valid else None
        if asked is not None and not parent.is_remote:
            is_sampled = asked
        else:
            is_sampled = self._sampler.samples(Trace(f"{trace_id:032x}", asked=asked, is_callers=parent.is_valid))
        if not is_sampled:
            return SamplingResult(Decision.DROP, None, parent.trace_state)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, parent.trace_state)

    def get_description(self) -> str:
        return "CloudSayings"
