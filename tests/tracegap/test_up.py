"""`tracegap up` and `tracegap down`, and that nothing survives them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tracegap.commands import started, tracegap
from tests.tracegap.processes import gone_within, listening_ports, wait_until

pytestmark = pytest.mark.stack

READY_WITHIN_S = 90


def ready(process: subprocess.Popen[bytes], directory: Path) -> dict[str, str]:
    """Wait until `tracegap up` is ready; its `stack.json`."""

    def is_ready() -> bool:
        assert process.poll() is None, (directory / "output.txt").read_text()
        return any((directory / "runs").glob("2*/stack.json"))

    wait_until(is_ready, "`tracegap up` to be ready", READY_WITHIN_S)
    (state,) = (directory / "runs").glob("2*/stack.json")
    running: dict[str, str] = json.loads(state.read_text())
    return running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], Path, dict[str, str]]]:
    directory = tmp_path_factory.mktemp("up")
    with started("up", directory=directory) as process:
        try:
            yield process, directory, ready(process, directory)
        finally:
            tracegap("down", directory=directory)  # also those that a test started detached


def test_a_checkout_is_possible_and_traced(up: tuple[subprocess.Popen[bytes], Path, dict[str, str]]) -> None:
    """The gateway answers through its link, and its spans are in the run directory."""
    _, _, stack = up
    with urllib.request.urlopen(f"{stack['gateway']}/products", timeout=10) as answer:
        assert answer.status == 200
    traces = Path(stack["directory"]) / "otlp"
    wait_until(lambda: any(b"gateway" in file.read_bytes() for file in traces.glob("traces-*.binpb")), "spans on disk")


def test_locust_can_be_pointed_at_it(up: tuple[subprocess.Popen[bytes], Path, dict[str, str]]) -> None:
    """`locust -f scenarios/checkout.py` makes traced checkouts through the first link."""
    _, _, stack = up
    scenario = Path(__file__).parents[2] / "scenarios" / "checkout.py"
    command = [sys.executable, "-m", "locust", "-f", str(scenario), "--host", stack["gateway"], "--headless"]
    options = ["-u", "4", "-r", "4", "-t", "5s", "--only-summary"]
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": stack["otlp_http"]}
    done = subprocess.run(
        [*command, *options], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    traces = (Path(stack["directory"]) / "otlp").glob("traces-*.binpb")
    assert any(b"POST /checkout" in file.read_bytes() for file in traces)


def test_it_says_how_to_send_load(up: tuple[subprocess.Popen[bytes], Path, dict[str, str]]) -> None:
    """The page names the gateway, Locust's command line and where spans go."""
    _, directory, stack = up
    page = (directory / "output.txt").read_text()
    assert f"locust -f scenarios/checkout.py --host {stack['gateway']}" in page
    assert stack["otlp_http"] in page
    assert stack["otlp_grpc"] in page


def test_two_stacks_at_once(up: tuple[subprocess.Popen[bytes], Path, dict[str, str]]) -> None:
    """A second stack in the same directory of runs gets a run directory and ports of its own; `down` stops both."""
    first, directory, _ = up
    answer = tracegap("up", "--detach", directory=directory)
    assert answer.returncode == 0, answer.stderr
    family = psutil.Process(first.pid).children(recursive=True)
    stopped = tracegap("down", directory=directory)
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.count("stopped") == 2
    assert first.wait(10) == 0
    assert gone_within(family, 5) == []
    assert "no stack runs" in tracegap("down", directory=directory).stdout


@pytest.mark.parametrize("when", [0.15, 0.5, 1.2, 2.5, "ready"])
def test_nothing_survives_sigkill(tmp_path: Path, when: float | str) -> None:
    """SIGKILL of the run during start-up or later leaves no process, no listening port and no data directory."""
    with started("up", directory=tmp_path) as process:
        if isinstance(when, str):
            ready(process, tmp_path)
        else:
            time.sleep(when)
        family = psutil.Process(process.pid).children(recursive=True)
        ports = listening_ports(family)
        process.kill()
        process.wait()
    assert gone_within(family, 10) == []
    still_there = [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or ())]
    assert still_there == []
    assert not ports & {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}


def test_sigterm_during_start_up_ends_everything(tmp_path: Path) -> None:
    """SIGTERM is answered like Ctrl-C: everything stops, and the exit code says that it was interrupted."""
    with started("up", directory=tmp_path) as process:
        wait_until(lambda: len(psutil.Process(process.pid).children(recursive=True)) > 3, "some parts to be started")
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130
    assert gone_within(family, 5) == []


def test_a_part_that_does_not_come_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that dies at start-up ends the command with exit code 3, its name and its last words."""
    programs = tmp_path / "programs"
    programs.mkdir()
    broken = programs / "toxiproxy-server"
    broken.write_text("#!/bin/sh\necho the proxy is unwell\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    answer = tracegap("up", directory=tmp_path)
    assert answer.returncode == 3
    assert "toxiproxy died (exit code 9)" in answer.stderr
    assert "the proxy is unwell" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_toxiproxy_that_is_not_there_is_named(tmp_path: Path) -> None:
    """`--toxiproxy` with an address where nobody answers is wrong usage."""
    answer = tracegap("up", "--toxiproxy", "http://127.0.0.1:9", directory=tmp_path)
    assert answer.returncode == 2
    assert "127.0.0.1:9" in answer.stderr
