"""Whole runs of a short plan: what they find, what they keep, and how they end.

A few seconds a phase on a busy machine are enough to find what was injected. They are not enough to prove that nothing
else is found: what a busy machine does to the other hops is real. That is for the demo and the matrix to show.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tests.tracegap.commands import started, tracegap
from tests.tracegap.processes import gone_within, wait_until
from tracegap.run_directory import RunDirectory

pytestmark = pytest.mark.stack

PLAN = """\
name: short
load: {users: 20, spawn_rate: 50}
warmup: 2s
settle: 1s
drain: 2s
phases:
  - name: baseline
    duration: 7s
  - name: slow-payment
    duration: 7s
    faults: [{link: gateway->payment, toxic: latency, latency: 800ms, stream: downstream}]
  - name: lost-orders
    duration: 5s
    faults: [{link: nats->fulfillment, enabled: false}]
"""
RUN_WITHIN_S = 150


@dataclass(frozen=True)
class Finished:
    """One run of the plan, with two budgets: one that holds and one that breaks."""

    answer: subprocess.CompletedProcess[str]
    run: RunDirectory

    @property
    def report(self) -> dict[str, object]:
        report: dict[str, object] = json.loads(self.run.report("json").read_text())
        return report

    @property
    def findings(self) -> list[dict[str, object]]:
        findings = self.report["findings"]
        assert isinstance(findings, list)
        return findings


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    directory = tmp_path_factory.mktemp("run")
    (directory / "short.yaml").write_text(PLAN)
    budgets = ("--budget", "hop(gateway->payment).wire_ms.p95 < 50", "--budget", "hop(gateway->inventory).calls > 1")
    answer = tracegap("run", "short.yaml", *budgets, directory=directory, timeout_s=RUN_WITHIN_S)
    return Finished(answer, RunDirectory((directory / "runs" / "latest").resolve()))


def test_a_broken_budget_is_the_exit_code(finished: Finished) -> None:
    """Exit code 1, the broken budget on standard error, and a test case for each in junit.xml."""
    assert finished.answer.returncode == 1, finished.answer.stderr
    assert "hop(gateway->payment).wire_ms.p95 < 50" in finished.answer.stderr
    assert "hop(gateway->inventory).calls > 1" not in finished.answer.stderr
    failures = [case for case in ET.parse(finished.run.junit).iter("testcase") if case.find("failure") is not None]
    assert len([case for case in failures if "gateway->payment" in str(case.get("name"))]) == 1


def test_the_slow_link_is_found(finished: Finished) -> None:
    """Hop, leg and size of the latency, from spans alone."""
    found = [f for f in finished.findings if f["phase"] == "slow-payment" and f["hop"] == "gateway->payment"]
    assert [(f["kind"], f["leg"]) for f in found] == [("latency", "response")]
    delta_ms = found[0]["delta_ms"]
    assert isinstance(delta_ms, float)
    assert delta_ms == pytest.approx(800, rel=0.2)


def test_lost_orders_are_as_many_as_the_database_says(finished: Finished) -> None:
    """The count of messages that nobody consumed is the count of orders that are paid and not shipped."""
    found = [f for f in finished.findings if f["cause"] == "lost_message"]
    assert [(f["kind"], f["hop"], f["phase"]) for f in found] == [("failure", "gateway->fulfillment", "lost-orders")]
    outcome = json.loads(finished.run.outcome.read_text())
    assert outcome["paid_and_not_shipped"] > 0
    assert found[0]["count"] == outcome["paid_and_not_shipped"]
    assert f"{outcome['paid_and_not_shipped']} orders are paid and not shipped" in finished.answer.stdout


def test_the_scorecard_found_both_faults(finished: Finished) -> None:
    """Two faults were injected and felt, and both were found."""
    scorecard = finished.report["scorecard"]
    assert isinstance(scorecard, dict)
    assert (scorecard["found"], scorecard["missed"]) == (2, 0)


def test_findings_do_not_come_from_the_plan(finished: Finished, tmp_path: Path) -> None:
    """Without plan, ledger and everything else that says what was injected, the findings are the same."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for kept in (finished.run.phases, finished.run.peers):
        shutil.copy(kept, hidden)
    shutil.copytree(finished.run.otlp, hidden / "otlp")
    assert "1500" not in (hidden / "phases.json").read_text()
    answer = tracegap("analyze", str(hidden), "--format", "json", directory=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["findings"] == finished.findings


def test_the_run_directory_is_whole(finished: Finished) -> None:
    """Every file that docs/running.md lists for a run is there, and nothing that it does not list."""
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
    names = {path.name for path in finished.run.path.iterdir()}
    documented = {name for name in names if name in page or name.startswith("locust_")}
    assert names == documented
    expected = {"plan.yaml", "ledger.jsonl", "otlp", "spans.parquet", "logs.parquet", "parts", "locust_stats.csv"}
    expected |= {"report.html", "report.json", "report.md", "junit.xml", "phases.json", "peers.json", "outcome.json"}
    assert names >= expected
    assert pq.read_metadata(finished.run.spans).num_rows > 1000


def test_every_service_sent_spans_and_logs_with_traces(finished: Finished) -> None:
    """All five instrumented services and the generator are in the report, and logs carry trace ids."""
    report = finished.report
    assert isinstance(report["input"], dict)
    assert {"locust", "gateway", "inventory", "payment", "fulfillment", "email"} <= set(report["input"]["services"])
    assert report["logs"]


def test_progress_is_plain_lines_on_standard_error(finished: Finished) -> None:
    """Each phase is named where it begins, and standard output holds the report only."""
    for phase in ("warm-up", "baseline", "slow-payment", "lost-orders", "drain"):
        assert f"\n{phase}" in finished.answer.stderr
        assert not finished.answer.stdout.startswith(phase)
    assert "\x1b" not in finished.answer.stderr


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run in its first phase with a fault."""
    (tmp_path / "short.yaml").write_text(PLAN.replace("duration: 7s", "duration: 4s"))
    with started("run", "short.yaml", directory=tmp_path) as process:
        ledger = tmp_path / "runs" / "latest" / "ledger.jsonl"

        def injected() -> bool:
            assert process.poll() is None, (tmp_path / "output.txt").read_text()
            return ledger.exists() and '"confirmed"' in ledger.read_text()

        wait_until(injected, "the first fault", RUN_WITHIN_S)
        yield process


def test_an_interrupt_ends_everything(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Exit code 130, no part left, and the ledger says that the fault was taken away."""
    family = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    assert gone_within(family, 5) == []
    assert '"removed"' in (tmp_path / "runs" / "latest" / "ledger.jsonl").read_text()


def test_a_part_that_dies_ends_the_run(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Exit code 3 with the part's name."""
    family = psutil.Process(running.pid).children(recursive=True)
    (payment,) = [p for p in family if "shop.payment:app" in p.cmdline()]
    payment.kill()
    assert running.wait(30) == 3
    assert "payment died (SIGKILL)" in (tmp_path / "output.txt").read_text()
    assert gone_within(family, 5) == []


def test_nothing_is_left_by_a_killed_run(tmp_path: Path) -> None:
    """SIGKILL during a fault: no process, and on a Toxiproxy that was lent no toxic and no proxy but its own."""
    with started("faults", "serve", "--port", "0", directory=tmp_path) as server:
        said = tmp_path / "output.txt"
        wait_until(lambda: "ready" in said.read_text(), "the proxy server")
        url = next(word for word in said.read_text().split() if word.startswith("http://"))
        assert server.poll() is None
        _post(f"{url}/proxies", {"name": "mine", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0"})
        run = tmp_path / "run"
        run.mkdir()
        (run / "short.yaml").write_text(PLAN)
        with started("run", "short.yaml", "--toxiproxy", url, directory=run) as process:
            wait_until(lambda: _toxics(url) > 0 or process.poll() is not None, "the first toxic", RUN_WITHIN_S)
            assert process.poll() is None, (run / "output.txt").read_text()
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert gone_within(family, 15) == []
        wait_until(lambda: list(_get(f"{url}/proxies")) == ["mine"], "the links to be deleted")


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    """In one directory, started in the same moment: both end well, each in a run directory of its own."""
    calm = PLAN.partition("phases:")[0] + "phases: [{name: calm, duration: 3s}]\n"
    (tmp_path / "calm.yaml").write_text(calm)
    outputs = [tmp_path / "one", tmp_path / "two"]
    for output in outputs:
        output.mkdir()
    runs = str(tmp_path / "runs")
    with (
        started("run", "../calm.yaml", "--runs", runs, directory=outputs[0]) as one,
        started("run", "../calm.yaml", "--runs", runs, directory=outputs[1]) as two,
    ):
        codes = [process.wait(RUN_WITHIN_S) for process in (one, two)]
    assert codes == [0, 0], [(output / "output.txt").read_text() for output in outputs]
    assert len([path for path in (tmp_path / "runs").iterdir() if not path.is_symlink()]) == 2


def _get(url: str) -> dict[str, dict[str, object]]:
    import urllib.request

    with urllib.request.urlopen(url, timeout=10) as answer:
        found: dict[str, dict[str, object]] = json.load(answer)
    return found


def _post(url: str, body: dict[str, object]) -> None:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), method="POST"), timeout=10).close()


def _toxics(url: str) -> int:
    time.sleep(0.1)
    return sum(len(list(proxy["toxics"])) for proxy in _get(f"{url}/proxies").values())  # type: ignore[call-overload]
