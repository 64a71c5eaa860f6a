"""When a connection may be closed to make room for another."""

import asyncio
from unittest.mock import Mock

from service.limits import DEFAULT_LIMITS, Timeouts
from service.server.connections import Connection


async def test_a_connection_is_idle_some_time_after_its_answer_however_long_that_took() -> None:
    clock = Mock(time=Mock(return_value=100.0))
    connection = Connection(Mock(), Mock(), Timeouts(idle_connection=0.5), DEFAULT_LIMITS, (), is_spare=False)
    connection._loop, connection._waiter = clock, asyncio.get_running_loop().create_future()

    clock.time.return_value = 110.0  # a comparison takes ten seconds
    connection.answered()
    just_answered = connection.is_idle
    clock.time.return_value = 110.6
    a_moment_later = connection.is_idle

    assert (just_answered, a_moment_later) == (False, True)
