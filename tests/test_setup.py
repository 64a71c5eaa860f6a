"""Setting up survives an interruption: what was begun and not finished is begun again from nothing."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Stands for Python: makes an environment whose pip is interrupted as long as the file `interrupt` is there.
FAKE_PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'END'
#!/bin/sh
touch .venv/half-installed
test ! -e interrupt || kill -KILL $$
mv .venv/half-installed .venv/installed
END
chmod +x "$3/bin/python"
"""
STAGES = ("runtime", "development", "node")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "requirements").mkdir()
    for name in ("runtime", "dev", "node"):
        (tmp_path / "requirements" / f"{name}.txt").touch()
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(folder: Path, stage: str) -> int:
    command = ["make", f".venv/{stage}", f"PYTHON={folder / 'python'}"]
    return subprocess.run(command, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True).returncode


@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupted_installation_begins_from_nothing(folder: Path, stage: str) -> None:
    if stage != "runtime":
        make(folder, "runtime")
    (folder / "interrupt").touch()
    interrupted = make(folder, stage)
    (folder / "interrupt").unlink()

    again = make(folder, stage)

    assert (interrupted != 0, again) == (True, 0)
    assert not (folder / ".venv/half-installed").exists()
    assert (folder / ".venv" / stage).exists()


@pytest.mark.parametrize("stage", STAGES)
def test_a_finished_installation_is_not_touched_again(folder: Path, stage: str) -> None:
    make(folder, stage)
    (folder / "interrupt").touch()

    assert make(folder, stage) == 0
