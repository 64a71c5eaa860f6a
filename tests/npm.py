"""Runs npm as the Makefile does: in web/, with the Node.js of the environment that the tests run in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WEB = Path(__file__).parents[1] / "web"


def npm(*arguments: str, folder: Path = WEB) -> str:
    """Return what npm prints. When npm fails, the test fails with that."""
    if not (WEB / "node_modules").is_dir():
        pytest.fail("The page's packages are not installed: `make test` installs them.")
    programs = Path(sys.prefix, "bin")
    # The browser tests start the server with PYTHON.
    environ = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHON": sys.executable, "NO_COLOR": "1"}
    done = subprocess.run(
        [programs / "npm", *arguments],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
