from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.analysis.builders import span_id, trace_id
from tests.tracegap.checkouts import write_run
from tests.tracegap.command import Result, run_tracegap

Tracegap = Callable[..., Result]

SLOW = trace_id("checkout 142").hex()
LOST = trace_id("checkout 201").hex()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("trace") / "run")


@pytest.fixture
def tracegap(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Tracegap:
    def call(*arguments: object) -> Result:
        return run_tracegap(capfdbinary, monkeypatch, *arguments)

    return call


def test_the_critical_path_is_in_time_order_without_holes(tracegap: Tracegap, run: Path) -> None:
    """From the root's start to its end, each segment begins where the one before it ended."""
    trace = json.loads(tracegap("trace", SLOW, run, "--format", "json").out)
    path = trace["critical_path"]
    assert path[0]["start_ns"] == trace["start_ns"]
    assert path[-1]["end_ns"] == trace["end_ns"]
    assert all(before["end_ns"] == after["start_ns"] for before, after in pairwise(path))
    assert all(segment["start_ns"] < segment["end_ns"] for segment in path)


def test_segments_say_whose_time_it_was(tracegap: Tracegap, run: Path) -> None:
    """The response leg belongs to the client span and its hop, own work to no hop."""
    trace = json.loads(tracegap("trace", SLOW, run, "--format", "json").out)
    longest = max(trace["critical_path"], key=lambda segment: segment["end_ns"] - segment["start_ns"])
    assert (longest["span_id"], longest["category"], longest["hop"]) == (
        f"{span_id('POST'):016x}", "wire", "gateway->payment",
    )  # fmt: skip
    assert {segment["category"]: segment["hop"] for segment in trace["critical_path"]}["self"] is None


def test_rows_account_for_the_whole_duration(tracegap: Tracegap, run: Path) -> None:
    """Every nanosecond of the root stands in exactly one row of the tree."""
    trace = json.loads(tracegap("trace", SLOW, run, "--format", "json").out)
    assert sum(row["critical_path_ns"] for row in trace["rows"]) == trace["end_ns"] - trace["start_ns"]


def test_a_message_waits_where_its_consumer_hangs(tracegap: Tracegap, run: Path) -> None:
    """The queue's row stands between the send and the consumer's span."""
    trace = json.loads(tracegap("trace", SLOW, run, "--format", "json").out)
    shown = [(row["part"], row["name"]) for row in trace["rows"]]
    consumer = shown.index(("span", "orders process"))
    assert shown[consumer - 2 : consumer] == [("span", "orders publish"), ("queue", "")]


def test_the_tree_shows_a_lost_message(tracegap: Tracegap, run: Path) -> None:
    """On a terminal, below the span that sent it."""
    lines = tracegap("trace", LOST, run).out.split("\n")
    sent = next(index for index, line in enumerate(lines) if "orders publish" in line)
    assert "✗ lost message" in lines[sent]
    assert "never arrived gateway->fulfillment" in lines[sent + 1]


@pytest.mark.parametrize("wanted", [SLOW[:10], SLOW.upper(), f" {SLOW} "])
def test_an_id_may_be_short(tracegap: Tracegap, run: Path, wanted: str) -> None:
    """Its beginning is enough, and case does not matter."""
    assert json.loads(tracegap("trace", wanted, run, "--format", "json").out)["trace_id"] == SLOW


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("f" * 32, "no such trace among the 300"),
        ("0" * 33, "hexadecimal digits"),
        ("../etc", "hexadecimal digits"),
        ("", "hexadecimal digits"),
    ],
)
def test_an_unknown_id_ends_with_2_and_one_line(tracegap: Tracegap, run: Path, wanted: str, words: str) -> None:
    """The line says what was searched."""
    result = tracegap("trace", wanted, run)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert len(result.err.strip().split("\n")) == 1


def test_an_id_that_several_traces_begin_with_is_refused(tracegap: Tracegap, run: Path) -> None:
    """Some of them are named, so that the next try succeeds."""
    result = tracegap("trace", SLOW[0], run)
    assert result.code == 2
    assert "traces begin like that" in result.err


def test_one_trace_as_a_page(tracegap: Tracegap, run: Path, tmp_path: Path) -> None:
    """HTML goes where `-o` says."""
    page = tmp_path / "trace.html"
    assert tracegap("trace", SLOW, run, "--format", "html", "-o", page).out == ""
    assert f"Waterfall of trace {SLOW}" in page.read_text()
