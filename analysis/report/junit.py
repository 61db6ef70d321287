"""junit.xml for CI: a case per budget, a case per finding, and a case for the verdict.

A broken budget fails its case. Findings never do: what may fail a build is what somebody wrote a budget for, so the
case of a finding carries it as output. An inconclusive verdict is a skipped case, for a thin report is not a clean one.
The element names are those of the Ant JUnit task, which every CI service reads.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from analysis.budget import BudgetVerdict
from analysis.diagnosis import Diagnosis, Finding
from analysis.report.attachments import Attachments
from analysis.report.headline import headline
from analysis.report.printable import printable
from analysis.report.text import finding_numbers

__all__ = ["render"]


def render(diagnosis: Diagnosis, attachments: Attachments | None = None) -> str:
    """One `<testsuite>` in `<testsuites>`, as XML text with its declaration."""
    attachments = attachments or Attachments()
    cases = [_budget(result) for result in attachments.budgets]
    cases += [_finding(finding) for finding in diagnosis.findings]
    cases.append(_verdict(diagnosis))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    root = ET.Element("testsuites", {"name": "tracegap", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": printable(attachments.source) or "tracegap", **counts})
    suite.extend(cases)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(group: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": f"tracegap.{group}", "name": printable(name), "time": "0"})


def _budget(result: BudgetVerdict) -> ET.Element:
    case = _case("budget", result.budget.text)
    if not result.held:
        failure = ET.SubElement(case, "failure", {"type": "budget", "message": printable(result.message)})
        failure.text = printable(result.message)
    return case


def _finding(finding: Finding) -> ET.Element:
    case = _case("finding", f"{finding.rank}. {finding.culprit}: {finding.cause}")
    lines = [finding.summary, finding_numbers(finding)]
    if finding.traces:
        lines.append("traces " + " ".join(finding.traces))
    ET.SubElement(case, "system-out").text = "\n".join(printable(line) for line in lines)
    return case


def _verdict(diagnosis: Diagnosis) -> ET.Element:
    case = _case("verdict", diagnosis.verdict)
    if diagnosis.verdict == "inconclusive":
        reason = " ".join(diagnosis.reasons) or headline(diagnosis)
        ET.SubElement(case, "skipped", {"message": printable(reason)})
    return case
