"""No cause without an explanation, and no explanation without a cause."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from analysis.diagnosis import Finding
from analysis.findings import CAUSES
from analysis.findings_failure import cause_of_kind
from analysis.findings_structure import SEVERITY
from analysis.fold import RULES
from analysis.observations import FAILURES

PAGE = (Path(__file__).parents[2] / "docs" / "findings.md").read_text()


def test_every_cause_has_its_section() -> None:
    """The headings of the page are the causes."""
    assert sorted(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)) == sorted(CAUSES)


def test_every_failure_and_structure_has_a_cause() -> None:
    """Whatever observations call a failure ends in a documented cause."""
    assert {cause_of_kind(kind) for kind in FAILURES if kind != "none"} <= set(CAUSES)
    assert set(SEVERITY) <= set(CAUSES)


def test_every_field_of_a_finding_is_explained() -> None:
    """But for those that speak for themselves."""
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert {f.name for f in fields(Finding)} - named <= {"hop", "summary", "phase"}


def test_every_folding_rule_is_listed() -> None:
    """As many points as rules."""
    section = PAGE.split("## Symptoms and causes")[1].split("\n## ")[0]
    assert len(re.findall(r"^\d+\. ", section, re.MULTILINE)) == len(RULES)
