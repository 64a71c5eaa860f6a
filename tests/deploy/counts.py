"""What the kinds of requests ask of AWS, counted once for all tests."""

import asyncio
from functools import cache

from deploy.counting import Counted, count_everything


@cache
def counted() -> Counted:
    return asyncio.run(count_everything())
