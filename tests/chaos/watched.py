"""Runs a module as `python -m` does; on SIGUSR1 it writes to a file how many asyncio tasks there are.

Everything else about a process can be seen from outside.
"""

import asyncio
import runpy
import signal
import sys
from pathlib import Path


def main() -> None:
    told, module, *arguments = sys.argv[1:]

    def tell(_number: int, _frame: object) -> None:
        part = Path(f"{told}.part")
        part.write_text(str(len(asyncio.all_tasks())))
        part.rename(told)  # so that nobody reads half of it

    signal.signal(signal.SIGUSR1, tell)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
