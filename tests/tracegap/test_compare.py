from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracegap.checkouts import write_run, write_spans
from tests.tracegap.command import Result, run_tracegap

Tracegap = Callable[..., Result]


@pytest.fixture
def tracegap(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Tracegap:
    def call(*arguments: object) -> Result:
        return run_tracegap(capfdbinary, monkeypatch, *arguments)

    return call


def test_the_second_is_held_against_the_first(tracegap: Tracegap, tmp_path: Path) -> None:
    """What got slower is found in one direction, and is no finding in the other."""
    before, after = write_spans(tmp_path / "a.parquet", 0, 100), write_spans(tmp_path / "b.parquet", 100, 200)
    findings = json.loads(tracegap("compare", before, after, "--format", "json").out)["findings"]
    assert [(finding["hop"], finding["leg"]) for finding in findings] == [("gateway->payment", "response")]
    assert json.loads(tracegap("compare", after, before, "--format", "json").out)["findings"] == []


def test_a_run_is_like_itself(tracegap: Tracegap, tmp_path: Path) -> None:
    """Phases that stand out within a run are no difference between two runs that both have them."""
    run = write_run(tmp_path / "run")
    result = tracegap("compare", run, run, "--budget", "findings == 0")
    assert result.code == 0
    assert "tracegap: OK" in result.out


def test_one_phase_alone_can_be_compared(tracegap: Tracegap, tmp_path: Path) -> None:
    """`--phase` takes the traces of that phase of both runs."""
    run = write_run(tmp_path / "run")
    report = json.loads(tracegap("compare", run, run, "--phase", "slow-payment", "--format", "json").out)
    assert report["input"]["traces"] == 100
    assert report["findings"] == []


def test_an_unknown_phase_ends_with_2(tracegap: Tracegap, tmp_path: Path) -> None:
    """The line names the phases that there are."""
    run = write_run(tmp_path / "run")
    result = tracegap("compare", run, run, "--phase", "nonsense")
    assert (result.code, result.out) == (2, "")
    assert "baseline, slow-payment, lost-orders" in result.err
