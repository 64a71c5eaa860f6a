"""The file descriptors of the process, which are the real limit on its connections."""

import resource
from contextlib import suppress

# A place for a connection comes with a spare one, which is for one request.
PER_PLACE = 2


def places_that_fit(most: int, reserve: int) -> tuple[int, int]:
    """How many of that many places the process has descriptors for, and how many descriptors it may have in all.

    The soft limit is raised as far as the places need and the hard limit allows. `reserve` is for everything else:
    the store, model calls, logs. When the limit is very low, places and reserve get half of it each.
    """
    needed = PER_PLACE * most + reserve
    available = _raised_limit(needed)
    left = available - min(reserve, available // 2)
    return max(1, min(most, left // PER_PLACE)), available


def _raised_limit(needed: int) -> int:
    """The soft limit, raised to what is needed if it is lower and the hard limit allows; `needed` if there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with suppress(ValueError, OSError):  # some systems have a further limit of their own
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
