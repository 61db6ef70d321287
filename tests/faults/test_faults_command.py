"""`tracegap faults`: what people see, exit codes, and that nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.toxiproxy import Toxic, Toxiproxy
from tests.faults.conftest import LINK, OTHER
from tracegap.cli import main

ROOT = Path(__file__).parents[2]
PLANS = ROOT / "faults" / "plans"
DEADLINE_S = 30.0


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def tracegap(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in this process, from entry point to exit code: starting Python anew costs a second each time."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["tracegap", "faults", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(
        f"name: x\nphases:\n  - name: quiet\n    duration: 100ms\n  - name: slow\n    duration: 1500ms\n    faults:\n"
        f"      - {{link: {LINK}, toxic: latency, latency: 100ms}}\n      - {{link: {OTHER}, enabled: false}}\n"
    )
    return path


def nothing_left(toxiproxy: Toxiproxy) -> bool:
    return all(proxy.enabled and not proxy.toxics for proxy in toxiproxy.proxies().values())


def test_list_shows_proxies_and_toxics(toxiproxy: Toxiproxy, tracegap: Command) -> None:
    """As text for people and as JSON for programs."""
    toxiproxy.add_toxic(LINK, Toxic("theirs", "latency", attributes={"latency": 7, "jitter": 0}))
    toxiproxy.disable(OTHER)
    text = tracegap("list", "--toxiproxy", toxiproxy.url)
    assert text.returncode == 0
    assert "latency downstream jitter=0 latency=7  (theirs)" in text.stdout
    assert "(cut)" in text.stdout
    proxies = {
        proxy["name"]: proxy
        for proxy in json.loads(tracegap("list", "--toxiproxy", toxiproxy.url, "--format", "json").stdout)
    }
    assert proxies[LINK]["toxics"][0]["attributes"] == {"latency": 7, "jitter": 0}
    assert proxies[OTHER]["enabled"] is False


@pytest.mark.parametrize("arguments", [["list"], ["reset"], ["apply", PLANS / "null.yaml"]], ids=lambda value: value[0])
def test_a_server_that_is_not_there_is_exit_code_2(arguments: list[object], tracegap: Command) -> None:
    """One line on standard error, nothing else."""
    done = tracegap(*arguments, "--toxiproxy", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "tracegap: no Toxiproxy answers at http://127.0.0.1:9: Connection refused\n"


def test_validate_takes_the_plans_that_ship_and_refuses_a_bad_one(tmp_path: Path, tracegap: Command) -> None:
    """Exit code 0 with a line a plan; exit code 2 with the one line that says what is wrong and where."""
    good = tracegap("validate", *sorted(PLANS.glob("*.yaml")))
    assert good.returncode == 0
    assert len(good.stdout.splitlines()) == len(list(PLANS.glob("*.yaml")))
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\nphases:\n  - {name: a, duration: 5s, faults: [{link: gateway->paymnt, enabled: false}]}\n")
    refused = tracegap("validate", bad)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"tracegap: {bad}:3:45: phases[0].faults[0].link: expected one of the links")
    assert len(refused.stderr.splitlines()) == 1
    assert tracegap("validate", "--any-link", bad).returncode == 0


def test_apply_injects_says_what_was_felt_and_leaves_nothing(
    toxiproxy: Toxiproxy, plan: Path, tmp_path: Path, tracegap: Command
) -> None:
    """The outcome names each fault with what was measured; the ledger is written; the server is as before."""
    ledger = tmp_path / "ledger.jsonl"
    done = tracegap("apply", plan, "--toxiproxy", toxiproxy.url, "--ledger", ledger)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"slow.0: latency on {LINK}: felt (100 ms asked, ")
    assert lines[1] == f"slow.1: cut on {OTHER}: felt"
    assert ledger.read_text().count('"event":"gone"') == 2
    assert nothing_left(toxiproxy)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_apply_leaves_nothing_when_it_is_interrupted(
    number: signal.Signals, toxiproxy: Toxiproxy, plan: Path, tmp_path: Path
) -> None:
    """Ctrl-C, SIGTERM and SIGKILL in the middle of a phase: the links are as before, and Ctrl-C is exit code 130."""
    plan.write_text(plan.read_text().replace("1500ms", "60s"))
    command = ["apply", str(plan), "--toxiproxy", toxiproxy.url, "--ledger", str(tmp_path / "ledger.jsonl")]
    process = subprocess.Popen(
        [sys.executable, "-m", "tracegap", "faults", *command], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: not toxiproxy.proxy(OTHER).enabled)
    process.send_signal(number)
    assert process.wait(DEADLINE_S) == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    wait_for(lambda: nothing_left(toxiproxy))


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--phase", "nothing"], "the plan has no phase 'nothing', but quiet, slow"),
        (["--probe", f"{LINK}=gopher"], "expected LINK=PROTOCOL, the protocol one of http, redis, nats, postgres"),
        (["--ledger", "/nowhere/ledger.jsonl"], "/nowhere/ledger.jsonl: cannot be written: No such file or directory"),
    ],
)
def test_apply_refuses_wrong_options(
    options: list[str], message: str, toxiproxy: Toxiproxy, plan: Path, tracegap: Command
) -> None:
    """Exit code 2 before anything is injected."""
    done = tracegap("apply", plan, "--toxiproxy", toxiproxy.url, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_reset_can_be_narrowed(toxiproxy: Toxiproxy, tracegap: Command) -> None:
    """To what tracegap made, to a link, or not at all."""
    ours, theirs = (
        Toxic(name, "latency", attributes={"latency": 1, "jitter": 0}) for name in ("tracegap.a.b", "theirs")
    )
    for link in (LINK, OTHER):
        for toxic in (ours, theirs):
            toxiproxy.add_toxic(link, toxic)
    assert tracegap("reset", "--toxiproxy", toxiproxy.url, "--made-here", "--link", LINK).returncode == 0
    assert toxiproxy.proxy(LINK).toxics == (theirs,)
    assert len(toxiproxy.proxy(OTHER).toxics) == 2
    assert tracegap("reset", "--toxiproxy", toxiproxy.url, "--link", "none").returncode == 2
    assert tracegap("reset", "--toxiproxy", toxiproxy.url).returncode == 0
    assert nothing_left(toxiproxy)


def test_serve_is_a_toxiproxy_until_it_is_told_to_end() -> None:
    """It prints where it is ready, answers there, and ends with exit code 0 at SIGTERM."""
    command = [sys.executable, "-m", "tracegap", "faults", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        assert word == "ready"
        assert Toxiproxy(url).proxies() == {}
        process.terminate()
        assert process.wait(DEADLINE_S) == 0


def test_serve_says_when_the_port_is_taken(server_url: str, tracegap: Command) -> None:
    """Exit code 3: a part that could not be started."""
    done = tracegap("serve", "--port", server_url.rpartition(":")[2])
    assert done.returncode == 3
    assert "address already in use" in done.stderr.lower()
    assert len(done.stderr.splitlines()) == 1
