"""The id of a request: the same 128 bits as a W3C trace id (32 hex) and as an X-Ray one (`1-8hex-24hex`)."""

import random
import re
import time
from collections.abc import Mapping

# An id of nothing but zeros is no id.
_XRAY_ROOT = re.compile(r"(?:^|;)\s*Root=1-(?!0{8}-0{24})([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id(headers: Mapping[str, str]) -> str:
    """The caller's trace id by `X-Amzn-Trace-Id` or `traceparent`, else a new one; 32 hex digits."""
    if xray := headers.get("X-Amzn-Trace-Id"):
        root = _XRAY_ROOT.search(xray)
        if root:
            return root[1] + root[2]
    if traceparent := headers.get("traceparent"):
        parent = _TRACEPARENT.fullmatch(traceparent)
        if parent:
            return parent[1]
    return f"{int(time.time()):08x}{random.getrandbits(96):024x}"


def xray_form(trace: str) -> str:
    return f"1-{trace[:8]}-{trace[8:]}"
