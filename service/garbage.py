"""Keeping what lives as long as the process out of the way of the garbage collector, for which everything waits."""

import asyncio
import gc
import sys

LOOK_SECONDS = 10.0


async def freeze_modules() -> None:
    """Clean up once when modules have come, and have all later collections pass over what is there by then.

    A full collection looks at every object there is, and the vendors' SDKs are hundreds of thousands. They come when
    they are first needed, which may be late.
    """
    known = 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if len(sys.modules) > known:
            known = len(sys.modules)
            gc.collect()
            gc.freeze()
