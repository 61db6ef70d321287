"""`tracegap collect` as people call it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import httpx

from tests.collector.conftest import collector, request, stored_names
from tests.tracegap.commands import tracegap

COMMAND = ("-P", "-m", "tracegap", "collect")


def test_it_says_ready_collects_and_ends_with_0(tmp_path: Path) -> None:
    """One line with both addresses; Ctrl-C ends it cleanly, and what it wrote is what `analyze` reads."""
    with collector(tmp_path / "spans", program=COMMAND) as running:
        answer = httpx.post(
            f"{running.http}/v1/traces",
            content=request("checkout").SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        )
        assert answer.status_code == 200
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 0
    assert stored_names(tmp_path / "spans") == ["checkout"]
    done = tracegap("analyze", str(tmp_path / "spans"), "--format", "json", directory=tmp_path)
    assert (done.returncode, '"spans": 1' in done.stdout) == (0, True)


def test_a_taken_port_ends_with_3(tmp_path: Path) -> None:
    """The exit code of a part that cannot be started, with one line that names the address."""
    with collector(tmp_path / "a") as running:
        port = running.http.rpartition(":")[2]
        done: subprocess.CompletedProcess[str] = tracegap(
            "collect", "-o", "b", "--grpc-port", "0", "--http-port", port, directory=tmp_path
        )
    assert (done.returncode, done.stdout) == (3, "")
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
