from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from analysis.budget import evaluate, parse
from analysis.diagnosis import Diagnosis
from analysis.report import junit
from tests.analysis.report.samples import DEMO, DEMO_ATTACHMENTS, EMPTY, SLOW_PAYMENT


def suite_of(diagnosis: Diagnosis, *budgets: str) -> ET.Element:
    results = tuple(evaluate(parse(budget), diagnosis) for budget in budgets)
    root = ET.fromstring(junit.render(diagnosis, replace(DEMO_ATTACHMENTS, budgets=results)))
    suite = root.find("testsuite")
    assert suite is not None
    return suite


def test_a_budget_is_a_case_that_fails_when_it_is_broken() -> None:
    """The failure says what was measured and how far beyond the limit."""
    suite = suite_of(DEMO, "hop(gateway->payment).wire_ms.p95 < 50", "findings < 10")
    broken, held = suite.findall("testcase[@classname='tracegap.budget']")
    failure = broken.find("failure")
    assert failure is not None
    assert failure.get("message") == (
        "hop(gateway->payment).wire_ms.p95 < 50: broken, gateway->payment is 1,540 ms, 1,490 ms above the limit"
    )
    assert held.find("failure") is None


def test_the_counts_of_the_suite_are_those_of_its_cases() -> None:
    """CI services trust the attributes."""
    suite = suite_of(DEMO, "findings == 0", "verdict == ok", "findings < 10")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "2", "0")
    assert len(suite.findall("testcase")) == 6


def test_a_finding_fails_no_build_by_itself() -> None:
    """Only a budget does; the finding's case carries its text."""
    cases = suite_of(DEMO).findall("testcase[@classname='tracegap.finding']")
    assert [case.find("failure") for case in cases] == [None, None]
    assert "1,500 ms later" in str(cases[0].findtext("system-out"))


def test_an_inconclusive_verdict_is_a_skipped_case() -> None:
    """A thin report is not shown as a clean one."""
    skipped = suite_of(EMPTY).find("testcase[@classname='tracegap.verdict']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "No trace was read."


def test_names_cannot_break_the_document() -> None:
    """XML has no place for control characters, not even escaped ones."""
    evil = replace(SLOW_PAYMENT, culprit='"><evil/>\x00\x1b]]>&', summary="\x08\ud800")
    assert suite_of(replace(DEMO, findings=(evil,))).find(".//evil") is None
