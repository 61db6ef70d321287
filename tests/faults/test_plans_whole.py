"""Stories from the plan library, told to the whole system: what a plan expects is what the diagnosis finds.

The stories share one run, one after the other against one baseline, because each start of the shop costs its time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from faults.ledger import read_ledger
from faults.plan import Expected, Plan, load_plan

ROOT = Path(__file__).parents[2]
PLANS = ROOT / "faults" / "plans"
STORIES = ("slow-database", "lost-messages", "cache-down", "lost-response")
QUIET = {"name": "recovery", "duration": "10s"}
PHASE_S = 14

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """The plan that holds the stories, and the directory of its run."""
    folder = tmp_path_factory.mktemp("stories")
    path = folder / "stories.yaml"
    path.write_text(yaml.safe_dump(stories()))
    command = [sys.executable, "-m", "tracegap", "run", str(path), "--runs", str(folder / "runs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return load_plan(path, links=None), (folder / "runs" / "latest").resolve()


def stories() -> dict[str, Any]:
    """One plan with the phases of each story in which something happens; only their lengths differ."""
    phases: list[dict[str, Any]] = [{"name": "baseline", "duration": "16s"}]
    expect: list[dict[str, Any]] = []
    for story in STORIES:
        plan = yaml.safe_load((PLANS / f"{story}.yaml").read_text())
        phases += [{**phase, "duration": f"{PHASE_S}s"} for phase in plan["phases"] if "faults" in phase]
        expect += plan["expect"]
    settings = {"seed": 7, "load": {"users": 15, "spawn_rate": 15}, "warmup": "4s", "settle": "3s", "drain": "6s"}
    return {"name": "stories", **settings, "phases": [*phases, QUIET], "expect": expect}


def fits(expected: Expected, finding: dict[str, Any]) -> bool:
    return (
        finding["phase"] == expected.phase
        and finding["kind"] == expected.kind
        and finding["cause"] in expected.cause
        and expected.hop in (None, finding["hop"])
        and expected.service in (None, finding["service"])
        and expected.leg in (None, finding["leg"])
        and (expected.delta_ms is None or finding["delta_ms"] == pytest.approx(expected.delta_ms, rel=0.25))
    )


def test_finds_what_the_plans_expect(told: tuple[Plan, Path]) -> None:
    """Each story's finding is in the report, in its phase, with its hop and cause."""
    plan, run = told
    findings = json.loads((run / "report.json").read_text())["findings"]
    for expected in plan.expect:
        assert any(fits(expected, finding) for finding in findings), (expected, findings)


def test_nothing_fails_in_the_quiet_phase(told: tuple[Plan, Path]) -> None:
    """After the stories the system works as before. (How fast, depends on what else the machine does.)"""
    _, run = told
    findings = json.loads((run / "report.json").read_text())["findings"]
    quiet = [finding for finding in findings if finding["phase"] == QUIET["name"]]
    assert [finding["summary"] for finding in quiet if finding["kind"] == "failure"] == []


def test_every_fault_was_felt_and_seen_gone(told: tuple[Plan, Path]) -> None:
    """Under load, on every kind of link, the ledger's probes saw each fault come and go."""
    _, run = told
    records = read_ledger(run / "ledger.jsonl")
    assert len(records) == 6  # three plain faults, and three turns of a repeated one
    for record in records:
        assert record.took_effect is True, record
        assert record.gone_ns is not None, record
