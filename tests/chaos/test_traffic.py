"""What the traffic makes of answers that no good server gives."""

from unittest.mock import Mock

import aiohttp

from tests.chaos.traffic import first_event


async def test_the_first_event_of_a_stream_may_be_of_any_length() -> None:
    content = aiohttp.StreamReader(Mock(_reading_paused=False), limit=1024)
    event = b"event: comparison\ndata: " + b"x" * 1_000_000 + b"\n\n"

    content.feed_data(event[:-1])
    content.feed_data(event[-1:] + b"event: slot\ndata: ")
    content.feed_eof()

    assert await first_event(content) == event


async def test_a_stream_that_ends_before_has_none() -> None:
    content = aiohttp.StreamReader(Mock(_reading_paused=False), limit=1024)

    content.feed_data(b"event: comparison\ndata: ")
    content.feed_eof()

    assert await first_event(content) == b""
