"""Processes in the background: found again, never mistaken for others, stopped with their children."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import daemon as daemons
from deploy.daemon import Daemon
from deploy.environments import DeploymentFailed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),  # as it is meant to be
]

SLEEPS = "time.sleep(60)"
IGNORES_SIGTERM = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, "it")
    yield daemon
    daemon.stop()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that a daemon opens when it is ready; its reader sees the end when the daemon is gone."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def python(code: str, pipe: Path) -> list[str]:
    """A command that opens the pipe after the code's first line, and then does the rest."""
    first, _, rest = code.rpartition("; ")
    return [
        sys.executable,
        "-c",
        f"import os, signal, subprocess, sys, time; {first or 'pass'}; pipe = open({str(pipe)!r}, 'w'); {rest}",
    ]


def test_it_is_found_by_the_next_command(daemon: Daemon, pipe: Path, tmp_path: Path) -> None:
    daemon.start(python(SLEEPS, pipe), {}, 4567)

    with pipe.open():
        found = Daemon(tmp_path, "it").running()

    assert found is not None
    assert found.port == 4567
    assert Daemon(tmp_path, "another").running() is None


def test_a_reused_process_id_is_not_taken_for_the_daemon(daemon: Daemon, pipe: Path) -> None:
    daemon.start(python("pass", pipe), {}, 4567)

    with pipe.open() as until_it_ends:
        until_it_ends.read()
    os.wait()

    assert daemon.running() is None
    assert daemon.stop() is False


def test_its_children_end_with_it(daemon: Daemon, pipe: Path) -> None:
    child = python(SLEEPS, pipe)
    daemon.start([sys.executable, "-c", f"import subprocess; subprocess.run({child})"], {}, 4567)

    with pipe.open() as until_the_child_ends:
        stopped = daemon.stop()
        until_the_child_ends.read()

    assert stopped
    assert daemon.running() is None


def test_what_does_not_listen_is_killed(daemon: Daemon, pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "STOP_SECONDS", 0.1)
    daemon.start(python(IGNORES_SIGTERM, pipe), {}, 4567)

    with pipe.open() as until_it_ends:
        daemon.stop()
        until_it_ends.read()

    assert daemon.running() is None


def test_two_of_them_never_run_at_once(daemon: Daemon, pipe: Path) -> None:
    daemon.start(python(SLEEPS, pipe), {}, 4567)

    with pipe.open(), pytest.raises(DeploymentFailed, match="Somebody else"):
        daemon.start(python(SLEEPS, pipe), {}, 4568)

    running = daemon.running()
    assert running is not None
    assert running.port == 4567


def test_a_failed_start_is_reported_with_the_end_of_its_log(daemon: Daemon) -> None:
    daemon.start([sys.executable, "-c", "exit('no such luck')"], {}, 4567)

    with pytest.raises(DeploymentFailed, match=r"It ended at once; .*it\.log ends in\n  no such luck"):
        daemon.wait_for("http://127.0.0.1:1/", "It")
