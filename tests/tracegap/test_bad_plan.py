"""A plan or an option that cannot be used ends the run before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracegap.commands import tracegap

GOOD = "name: x\nphases: [{name: calm, duration: 9s}]\n"
PHASE = "name: x\nphases:\n  - name: p\n    duration: 9s\n    faults: "


@pytest.mark.parametrize(
    ("plan", "place", "expected"),
    [
        (PHASE + "[{link: gateway->bank, toxic: latency, latency: 1s}]\n", "bad.yaml:5:", "gateway->bank"),
        (PHASE + "[{link: gateway->payment, toxic: latency, latency: -5ms}]\n", "bad.yaml:5:", "-5ms"),
        ("name: x\nphases: [\n", "bad.yaml:", "not valid YAML"),
        (None, "bad.yaml", "cannot be read"),
    ],
    ids=["unknown link", "negative latency", "broken YAML", "no file"],
)
def test_one_line_and_nothing_started(tmp_path: Path, plan: str | None, place: str, expected: str) -> None:
    """Exit code 2, one line with file and place and what was wrong, and not even a run directory."""
    if plan is not None:
        (tmp_path / "bad.yaml").write_text(plan)
    answer = tracegap("run", "bad.yaml", directory=tmp_path)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert place in line
    assert expected in line
    assert answer.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_a_budget_that_is_none_is_told_first(tmp_path: Path) -> None:
    """Exit code 2 with the expression, before anything starts."""
    (tmp_path / "plan.yaml").write_text(GOOD)
    answer = tracegap("run", "plan.yaml", "--budget", "payment should be fast", directory=tmp_path)
    assert answer.returncode == 2
    assert "payment should be fast" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
