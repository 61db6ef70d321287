"""A run that is killed leaves nothing injected: the watchdog cleans up, and only after this run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from faults.ledger import read_ledger
from faults.rollback import Undo
from faults.toxiproxy import Toxic, Toxiproxy
from faults.watchdog import Watchdog
from tests.faults.conftest import LINK, OTHER

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0

RUN = """
import sys, time
from faults.injector import Injector
from faults.ledger import Ledger
from faults.plan import load_plan
from faults.toxiproxy import Toxiproxy
from faults.watchdog import Watchdog

url, plan, ledger, fork = sys.argv[1:]
toxiproxy, plan = Toxiproxy(url), load_plan(plan, links=None)
with Ledger(ledger) as written, Watchdog(url, ledger) as watchdog:
    with Injector(toxiproxy, written, plan, probes={}, watchdog=watchdog) as injector:
        with injector.phase(plan.phases[0]):
            if fork == "fork":
                import os
                if os.fork() == 0:  # it keeps the watchdog's pipe open after the run's death
                    time.sleep(60)
            print(watchdog.pid, flush=True)
            time.sleep(60)
"""

PLAN = f"""
name: killed
phases:
  - name: everything
    duration: 60s
    faults:
      - {{link: {LINK}, toxic: latency, latency: 50ms}}
      - {{link: {LINK}, drop_first_connections: 3}}
      - {{link: {OTHER}, enabled: false}}
"""


@pytest.mark.parametrize("fork", ["alone", "fork"])
def test_cleans_up_after_a_kill_and_only_after_this_run(toxiproxy: Toxiproxy, tmp_path: Path, fork: str) -> None:
    """After SIGKILL toxics, switch and upstream are as before, others' toxics stay, and the watchdog has left."""
    theirs = Toxic("theirs", "latency", attributes={"latency": 1, "jitter": 0})
    toxiproxy.add_toxic(LINK, theirs)
    upstream = toxiproxy.proxy(LINK).upstream
    plan, ledger = tmp_path / "plan.yaml", tmp_path / "ledger.jsonl"
    plan.write_text(PLAN)
    command = [sys.executable, "-c", RUN, toxiproxy.url, str(plan), str(ledger), fork]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert run.stdout is not None
    watchdog = psutil.Process(int(run.stdout.readline()))
    children = [child for child in psutil.Process(run.pid).children() if child.pid != watchdog.pid]
    try:
        assert len(toxiproxy.proxy(LINK).toxics) == 2
        assert toxiproxy.proxy(LINK).upstream != upstream
        assert not toxiproxy.proxy(OTHER).enabled
        run.kill()
        run.wait()
        watchdog.wait(DEADLINE_S)
    finally:
        for child in children:
            child.kill()
        run.stdout.close()
    assert toxiproxy.proxy(LINK).toxics == (theirs,)
    assert toxiproxy.proxy(LINK).upstream == upstream
    assert toxiproxy.proxy(OTHER).enabled
    assert all(record.removed_ns is not None for record in read_ledger(ledger))


def test_a_signal_to_the_runs_process_group_does_not_reach_it(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    """Ctrl-C kills a careless run and its group; the watchdog is in a session of its own and still cleans up."""
    plan, ledger = tmp_path / "plan.yaml", tmp_path / "ledger.jsonl"
    plan.write_text(PLAN)
    command = [sys.executable, "-c", RUN, toxiproxy.url, str(plan), str(ledger), "alone"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True)
    assert run.stdout is not None
    watchdog = psutil.Process(int(run.stdout.readline()))
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    watchdog.wait(DEADLINE_S)
    assert not toxiproxy.proxy(LINK).toxics
    assert toxiproxy.proxy(OTHER).enabled


def test_undoes_nothing_that_was_undone(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    """What was announced as done is left alone, also when it looks as if it were still to do."""
    toxiproxy.disable(OTHER)
    step = Undo("enable", OTHER, fault="x.0")
    with Watchdog(toxiproxy.url, tmp_path / "ledger.jsonl") as watchdog:
        watchdog.announce("intend", step)
        watchdog.announce("done", step)
    assert not toxiproxy.proxy(OTHER).enabled


def test_leaves_at_once_when_toxiproxy_died_with_the_run(tmp_path: Path) -> None:
    """With no server to clean the watchdog gives up within its time and says what it could not do."""
    with Watchdog("http://127.0.0.1:9", tmp_path / "ledger.jsonl") as watchdog:
        watchdog.announce("intend", Undo("enable", OTHER, fault="x.0"))
        start_s = time.monotonic()
    assert time.monotonic() - start_s < 5  # its own limit is 1.8 s; the rest is for a busy machine
    assert not psutil.pid_exists(watchdog.pid)
