from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pyarrow.parquet
import pytest

from tests.analysis.builders import span, table
from tests.tracegap.checkouts import write_run, write_spans
from tests.tracegap.command import Result, run_tracegap
from tracegap.analyze import FORMATS, Analysis, analyze_locations, peer_names
from tracegap.errors import UnusableInput
from tracegap.reports import rendered, write_reports
from tracegap.run_directory import RunDirectory

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_bytes())

Tracegap = Callable[..., Result]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("analyze") / "run")


@pytest.fixture
def tracegap(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Tracegap:
    def call(*arguments: object) -> Result:
        return run_tracegap(capfdbinary, monkeypatch, *arguments)

    return call


def report_of(result: Result) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(result.out)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return report


def test_a_run_is_diagnosed_phase_against_baseline(tracegap: Tracegap, run: Path) -> None:
    """The slow response leg with its size, and the lost messages with their number, are found from spans alone."""
    findings = report_of(tracegap("analyze", run, "--format", "json"))["findings"]
    slow = next(finding for finding in findings if finding["kind"] == "latency")
    assert (slow["hop"], slow["leg"], slow["cause"], slow["phase"]) == (
        "gateway->payment", "response", "delay", "slow-payment",
    )  # fmt: skip
    assert slow["delta_ms"] == pytest.approx(1500, rel=0.01)
    assert slow["interval_ms"][0] <= slow["delta_ms"] <= slow["interval_ms"][1]
    lost = next(finding for finding in findings if finding["cause"] == "lost_message")
    assert (lost["hop"], lost["count"], lost["phase"]) == ("gateway->fulfillment", 33, "lost-orders")
    assert len(findings) == 2


def test_the_accounting_of_the_report_adds_up(tracegap: Tracegap, run: Path) -> None:
    """root_ms is the sum of the categories, for all traces, each operation and each phase."""
    report = report_of(tracegap("analyze", run, "--format", "json"))
    budgets = [report["accounting"], *(operation["accounting"] for operation in report["operations"])]
    budgets += [operation["accounting"] for phase in report["phases"] for operation in phase["operations"]]
    assert len(budgets) > 4
    for budget in budgets:
        total = budget.pop("root_ms")
        assert sum(round(ms * 1e6) for ms in budget.values()) == round(total * 1e6) > 0


@pytest.mark.parametrize("form", FORMATS)
def test_standard_output_holds_the_report_alone(tracegap: Tracegap, run: Path, tmp_path: Path, form: str) -> None:
    """What `-o -` prints is, to the byte, what `-o FILE` writes."""
    path = tmp_path / "report"
    to_file = tracegap("analyze", run, "--format", form, "-o", path)
    assert (to_file.code, to_file.out) == (0, "")
    printed = tracegap("analyze", run, "--format", form, "-o", "-")
    assert printed.out == path.read_text()
    assert "\x1b" not in printed.out


def test_the_text_report_says_all_that_matters(tracegap: Tracegap, run: Path) -> None:
    """Both findings, the tree with the response leg in its place, and how to go on."""
    report = tracegap("analyze", run).out
    assert "gateway->payment  delay on the response leg  [slow-payment]" in report
    assert "gateway->fulfillment  lost_message  [lost-orders]" in report
    lines = report.split("\n")
    charge = next(index for index, line in enumerate(lines) if "payment POST /charges" in line)
    assert "response leg gateway->payment" in lines[charge + 1]
    next_command = lines[lines.index("NEXT") + 1].split()
    assert next_command[:2] == ["tracegap", "trace"]
    assert tracegap(*next_command[1:]).code == 0


def test_a_baseline_of_another_time_is_compared_with(tracegap: Tracegap, tmp_path: Path) -> None:
    """Without phases, `--baseline` says what was normal."""
    before, after = write_spans(tmp_path / "old.parquet", 0, 100), write_spans(tmp_path / "new.parquet", 100, 200)
    report = report_of(tracegap("analyze", after, "--baseline", before, "--format", "json"))
    assert report["findings"][0]["hop"] == "gateway->payment"
    assert report["input"]["traces"] == 100
    payment = next(hop for hop in report["hops"] if hop["hop"] == "gateway->payment")
    assert payment["wire_ms"]["p50"] - payment["baseline"]["wire_ms"]["p50"] == pytest.approx(1500, rel=0.01)


def test_equal_halves_have_no_finding(tracegap: Tracegap, tmp_path: Path) -> None:
    """Nothing is found where nothing happened."""
    before, after = write_spans(tmp_path / "old.parquet", 0, 50), write_spans(tmp_path / "new.parquet", 50, 100)
    report = report_of(tracegap("analyze", after, "--baseline", before, "--format", "json"))
    assert (report["findings"], report["verdict"]) == ([], "ok")


def test_a_broken_budget_ends_with_1_and_says_by_how_much(tracegap: Tracegap, run: Path) -> None:
    """Exit code 1, the reason on standard error and in junit.xml; a budget that holds changes nothing."""
    holds = ("--budget", "hop(gateway->payment).wire_ms.p95 < 5 s")
    breaks = ("--budget", "hop(gateway->payment).wire_ms.p95 < 50")
    assert tracegap("analyze", run, *holds).code == 0
    result = tracegap("analyze", run, *holds, *breaks, "--format", "junit")
    assert result.code == 1
    assert "1,452" in result.err
    cases = {case.get("name"): case for case in ET.fromstring(result.out).iter("testcase")}
    assert cases[holds[1]].find("failure") is None
    failure = cases[breaks[1]].find("failure")
    assert failure is not None
    assert "above the limit" in str(failure.get("message"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.json",), "nowhere.json"),
        (("{run}/phases.json",), "phases.json"),
        (("{run}", "--budget", "hop(a->b).wire_ms.p95"), "comparison"),
        (("{run}", "--peer", "10.0.0.7=db"), "HOST:PORT=NAME"),
        (("{run}", "-o", "no/such/folder/report.txt"), "no/such/folder"),
        (("{run}", "--format", "pdf"), "pdf"),
        ((), "PATH"),
    ],
)
def test_unusable_input_ends_with_2_and_one_clear_line(
    tracegap: Tracegap, run: Path, arguments: tuple[str, ...], words: str
) -> None:
    """No traceback, nothing on standard output, and the line names what is wrong."""
    result = tracegap("analyze", *(argument.format(run=run) for argument in arguments))
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "content",
    ["not json", "[]", '{"phases": 7}', '{"phases": [{"name": "a"}]}', '{"phases": [[]]}', "{}", '{"phases": "x"}'],
)
def test_a_damaged_phases_file_is_named(tracegap: Tracegap, run: Path, tmp_path: Path, content: str) -> None:
    """Phases that cannot be read end the analysis: a diagnosis without them would answer another question."""
    damaged = shutil.copytree(run, tmp_path / "run")
    (damaged / "phases.json").write_text(content)
    result = tracegap("analyze", damaged)
    assert result.code == 2
    assert "phases.json" in result.err
    assert len(result.err.strip().split("\n")) == 1


def test_write_reports_fills_the_run_directory(run: Path, tmp_path: Path) -> None:
    """All four reports and both tables, and what was written is what analyze reads."""
    copy = RunDirectory(shutil.copytree(run, tmp_path / "run"))
    paths = write_reports(copy, analyze_locations([str(copy.path)]))
    assert [path.name for path in paths] == ["report.html", "report.json", "report.md", "junit.xml"]
    written = json.loads((copy.path / "report.json").read_bytes())
    jsonschema.Draft202012Validator(SCHEMA).validate(written)
    again = analyze_locations([str(copy.spans), str(copy.logs)])
    assert again.diagnosis.input.spans == written["input"]["spans"]


@pytest.fixture(scope="module")
def batched(run: Path) -> Analysis:
    return analyze_locations([str(run)], memory_bytes=1)


def test_the_size_of_batches_changes_no_finding(run: Path, batched: Analysis) -> None:
    """Spans that do not fit into memory give the same diagnosis, and are not kept."""
    assert batched.diagnosis == analyze_locations([str(run)]).diagnosis
    assert batched.spans is None


def test_traces_of_batches_are_read_once_more_to_be_drawn(run: Path, batched: Analysis) -> None:
    """The reports of spans that did not fit into memory are those of spans that did."""
    whole = analyze_locations([str(run)])
    for form in ("text", "html", "json"):
        assert rendered(batched, form) == rendered(whole, form)


def test_tables_of_batches_are_written_whole(run: Path, batched: Analysis, tmp_path: Path) -> None:
    """spans.parquet has every span, however many batches there were."""
    target = RunDirectory(tmp_path)
    write_reports(target, batched)
    assert pyarrow.parquet.read_metadata(target.spans).num_rows == batched.diagnosis.input.spans


def test_standard_input_is_kept_for_it_cannot_be_read_twice(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe has no second reading, so its spans stay in memory in any case."""
    with (run / "spans.parquet").open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        piped = analyze_locations(["-"], memory_bytes=1)
    assert piped.spans is not None
    assert len(piped.spans) == piped.diagnosis.input.spans


def test_findings_do_not_need_plan_and_ledger(run: Path, tmp_path: Path) -> None:
    """What was injected may lie beside the spans or not: the diagnosis is the same."""
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "plan.yaml").write_text("not: even\n a: plan")
    (copy / "ledger.jsonl").write_text("garbage")
    assert analyze_locations([str(copy)]).diagnosis == analyze_locations([str(run)]).diagnosis


@pytest.mark.parametrize("option", ["10.0.0.7:5432=postgresql", "[::1]:6379=redis", "db.internal:1=a=b"])
def test_peer_names_are_host_port_and_name(option: str) -> None:
    """The address is what stands before the first equals sign."""
    address, _, name = option.partition("=")
    assert peer_names([option]) == {address: name}


@pytest.mark.parametrize("option", ["", "=", "host=name", "host:port=name", ":80=name", "host:80=", "host:80"])
def test_other_peer_names_are_refused(option: str) -> None:
    """One line that shows what was expected."""
    with pytest.raises(UnusableInput, match="expected HOST:PORT=NAME"):
        peer_names([option])


def test_help_describes_every_option_and_loads_no_analysis() -> None:
    """`--help` answers at once: neither Arrow nor NumPy is imported for it."""
    probe = (
        "import sys, click, tracegap.analyze as a\n"
        "assert all(p.help for p in a.command.params if isinstance(p, click.Option))\n"
        "print(a.command.get_help(click.Context(a.command)))\n"
        "sys.exit(any(name in sys.modules for name in ('pyarrow', 'numpy', 'jinja2', 'rich', 'locust')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--baseline" in done.stdout


def test_a_callee_without_spans_is_called_what_peer_says(tracegap: Tracegap, tmp_path: Path) -> None:
    """`--peer` names an address that nothing in the traces names."""
    spans = [
        made
        for number in range(3)
        for made in (
            span("root", trace=f"T{number}", service="shop", kind="server", ms=9),
            span("call", parent="root", trace=f"T{number}", service="shop", kind="client", address="10.0.0.7:80"),
        )
    ]
    path = tmp_path / "spans.parquet"
    pyarrow.parquet.write_table(table(*spans), path)
    report = report_of(tracegap("analyze", path, "--peer", "10.0.0.7:80=tax office", "--format", "json"))
    assert [hop["hop"] for hop in report["hops"]] == ["shop->tax office"]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(run: Path, no_color: str, coloured: bool) -> None:
    """On a terminal the report is coloured, unless NO_COLOR says no."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "tracegap", "analyze", str(run)]
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm", "COLUMNS": "100"}
    written = bytearray()
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # what Linux says when the other end of a terminal is closed
            while chunk := os.read(ours, 65536):
                written += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"FAILING" in written
    assert (b"\x1b[" in written) == coloured
