"""npm as the Makefile calls it: in web/, with the Node.js of the environment that the tests run in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WEB = Path(__file__).parents[1] / "web"


def npm(*arguments: str, folder: Path = WEB) -> str:
    """What it said; the test fails with that when npm does."""
    if not (WEB / "node_modules").is_dir():
        pytest.fail("The page's packages are not there: `make test` sets them up.")
    programs = Path(sys.prefix, "bin")
    # Where the tests of the page find the Python to start a server with.
    environ = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHON": sys.executable, "NO_COLOR": "1"}
    done = subprocess.run(
        [programs / "npm", *arguments],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
