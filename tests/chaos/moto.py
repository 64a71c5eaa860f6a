"""moto's server as a process of its own, until it is terminated: its URL is all it says."""

import signal
import sys

from tests.conftest import serving_moto

if __name__ == "__main__":
    with serving_moto() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        signal.pause()
