"""The supervisor and its guardian, with small programs as parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tracegap.processes import gone_within, wait_until
from tracegap.errors import PartFailed
from tracegap.stack.supervisor import Process, Supervisor

LIVES = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")
DIES = (sys.executable, "-c", "print('no such luck', flush=True); raise SystemExit(7)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)",
)
# A part whose child leaves its process group and session, and whose child outlives it, as a daemon does.
DAEMONISES = (
    sys.executable,
    "-c",
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " start_new_session=True); print(p.pid, flush=True)",
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "parts") as supervisor:
        yield supervisor


def test_a_part_runs_until_it_is_stopped(supervisor: Supervisor) -> None:
    """`stop` ends a part with its stop signal and `check` does not call that a death."""
    supervisor.start(Process("a", LIVES))
    pid = supervisor.pids["a"]
    supervisor.stop(["a"])
    assert not psutil.pid_exists(pid)
    assert supervisor.exit_code("a") == -signal.SIGTERM
    supervisor.check()


def test_a_part_that_dies_is_named_with_its_last_words(supervisor: Supervisor) -> None:
    """`check` raises for a death that nobody asked for, with the exit code and the log's end."""
    supervisor.start(Process("unlucky", DIES))
    assert supervisor.wait("unlucky", 10) == 7
    with pytest.raises(PartFailed, match=r"(?s)unlucky died \(exit code 7\).*no such luck"):
        supervisor.check()


def test_a_part_that_is_meant_to_end_may(supervisor: Supervisor) -> None:
    """A process that `ends` is no death, whatever its exit code."""
    supervisor.start(Process("job", DIES, ends=True))
    assert supervisor.wait("job", 10) == 7
    supervisor.check()


def test_a_program_that_is_not_there_is_named(supervisor: Supervisor) -> None:
    """A command that cannot be executed fails at `start`."""
    with pytest.raises(PartFailed, match=r"ghost could not be started.*no-such-program"):
        supervisor.start(Process("ghost", ("/no-such-program",)))


def test_a_part_that_ignores_its_stop_signal_is_killed(supervisor: Supervisor) -> None:
    """After the grace a part is killed."""
    supervisor.start(Process("stubborn", STUBBORN))
    wait_until(lambda: "here" in supervisor.log_of("stubborn").read_text(), "it to ignore SIGTERM")
    supervisor.stop(["stubborn"], grace_s=0.2)
    assert supervisor.exit_code("stubborn") == -signal.SIGKILL


def test_what_a_part_left_behind_ends_with_the_supervisor(tmp_path: Path) -> None:
    """A grandchild in a session of its own, whose parent has ended, is found and ended."""
    with Supervisor(tmp_path / "parts") as supervisor:
        supervisor.start(Process("daemon", DAEMONISES, ends=True))
        assert supervisor.wait("daemon", 10) == 0
        orphan = psutil.Process(int(supervisor.log_of("daemon").read_text()))
        assert orphan.is_running()
    assert not orphan.is_running()


def test_directories_are_removed_at_the_end(tmp_path: Path) -> None:
    """`remove_at_end` holds for the regular end."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "file").write_text("x")
    with Supervisor(tmp_path / "parts") as supervisor:
        supervisor.remove_at_end(directory)
        supervisor.start(Process("a", LIVES))
    assert not directory.exists()


def test_the_death_of_the_guardian_ends_the_parts_and_is_told(tmp_path: Path) -> None:
    """SIGKILL of the guardian itself: parts die with it, and `check` says what happened."""
    with Supervisor(tmp_path / "parts") as supervisor:
        supervisor.start(Process("a", LIVES))
        part = psutil.Process(supervisor.pids["a"])
        os.kill(supervisor.guardian_pid, signal.SIGKILL)
        if sys.platform.startswith("linux"):
            assert gone_within([part], 5) == []
        wait_until(lambda: _raises(supervisor), "the supervisor to hear of it")


def _raises(supervisor: Supervisor) -> bool:
    try:
        supervisor.check()
    except PartFailed:
        return True
    return False


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.6])
def test_nothing_survives_sigkill_of_the_parent(tmp_path: Path, after_s: float) -> None:
    """However early the parent is killed, its parts, their orphans and their directories go too."""
    data = tmp_path / "data"
    data.mkdir()
    script = f"""
import time
from pathlib import Path
from tracegap.stack.supervisor import Process, Supervisor
with Supervisor(Path({str(tmp_path / "parts")!r})) as supervisor:
    supervisor.remove_at_end(Path({str(data)!r}))
    print("guarded", flush=True)
    for number in range(20):
        supervisor.start(Process(f"live-{{number}}", {LIVES!r}))
        supervisor.start(Process(f"daemon-{{number}}", {DAEMONISES!r}, ends=True))
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    with parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        time.sleep(after_s)
        family = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert family, "the guardian at least"
    assert gone_within(family, 10) == []
    assert not data.exists()
    # Also what was born after the census.
    logs = [int(text) for log in (tmp_path / "parts").glob("daemon-*.log") if (text := log.read_text().strip())]
    assert [pid for pid in logs if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"] == []
