"""The command line of the service: `python -m service COMMAND`, see `--help`. Without a command it serves the API.

It runs no rounds: `python -m workers` does, and `python -m workers --serve` does both in one process.
"""

from service.cli.commands import carry_out, parse
from service.config import Settings
from service.process import run


async def main(settings: Settings) -> int:
    return await carry_out(parse(), settings)


if __name__ == "__main__":
    run(main)
