"""How a process is told to stop."""

import asyncio
import signal


def stop_signal() -> asyncio.Event:
    """What SIGTERM and SIGINT set from now on. To be asked for first of all, so that no signal finds nobody at home."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
