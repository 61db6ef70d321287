"""A short report for a pull request's comment: verdict, budgets, findings, the hops that matter."""

from __future__ import annotations

import re

from analysis.budget import BudgetVerdict
from analysis.diagnosis import Diagnosis, Finding, HopSummary
from analysis.report import words
from analysis.report.attachments import Attachments
from analysis.report.headline import headline
from analysis.report.ordering import by_cost, waiting_ms
from analysis.report.printable import printable
from analysis.report.text import finding_numbers

__all__ = ["code", "escaped", "render"]

SIGNS = {"ok": "✅", "degraded": "⚠️", "failing": "❌", "inconclusive": "❔"}
MAX_FINDINGS = 8
MAX_HOPS = 10
MAX_WARNINGS = 5

# Whatever can begin markup in the middle of a line of GitHub's Markdown, and what does only at its start.
_MARKUP = re.compile(r"([\\`*_\[\]<|~&$])")
_LINE_START = re.compile(r"^(\d+(?=[.)])|)([-+>#.):=])")
# GitHub turns these into links after it has undone the escapes; an invisible space keeps them apart.
_REFERENCE = re.compile(r"([@#]|://|www)(?=[\w.-])")


def render(diagnosis: Diagnosis, attachments: Attachments | None = None) -> str:
    """GitHub-flavoured Markdown that ends with a line break."""
    attachments = attachments or Attachments()
    summary = diagnosis.input
    lines = [f"## {SIGNS[diagnosis.verdict]} tracegap: {diagnosis.verdict}", "", escaped(headline(diagnosis)), ""]
    lines += [f"- {escaped(reason)}" for reason in diagnosis.reasons] + [""] * bool(diagnosis.reasons)
    lines += _budgets(attachments)
    for finding in diagnosis.findings[:MAX_FINDINGS]:
        lines += _finding(finding)
    if len(diagnosis.findings) > MAX_FINDINGS:
        lines += [f"And {words.count_of(len(diagnosis.findings) - MAX_FINDINGS, 'lesser finding')}.", ""]
    lines += _hops(diagnosis)
    counts = (
        f"{words.count_of(summary.traces, 'trace')}, {words.count_of(summary.spans, 'span')}, "
        f"{words.count_of(len(summary.services), 'service')}"
    )
    if attachments.source:
        counts += f" from {code(attachments.source)}"
    lines += [counts, ""]
    lines += [f"- ⚠️ {escaped(warning)}" for warning in summary.warnings[:MAX_WARNINGS]]
    if len(summary.warnings) > MAX_WARNINGS:
        lines.append(f"- and {words.count_of(len(summary.warnings) - MAX_WARNINGS, 'more warning')}")
    return "\n".join(lines).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    """The text as Markdown shows it and nothing else: no link, no mention, no HTML, no new line."""
    without_markup = _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", printable(text)))
    return _REFERENCE.sub("\\1\u200b", without_markup)


def code(text: str) -> str:
    """The text as inline code, with a fence longer than any run of backticks in it; safe inside a table's cell."""
    shown = printable(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _finding(finding: Finding) -> list[str]:
    title = f"### {finding.rank}. {code(finding.culprit)}: {escaped(finding.cause)}"
    if finding.leg:
        title += f" on the {finding.leg} leg"
    if finding.phase:
        title += f" ({escaped(finding.phase)})"
    lines = [title, "", escaped(finding.summary), "", escaped(finding_numbers(finding))]
    if finding.traces:
        lines += ["", "Traces: " + ", ".join(code(trace) for trace in finding.traces)]
    return [*lines, ""]


def _budgets(attachments: Attachments) -> list[str]:
    if not attachments.budgets:
        return []
    rows = [f"| {'✅' if b.held else '❌'} | {code(b.budget.text)} | {_measured(b)} |" for b in attachments.budgets]
    return ["|   | budget | measured |", "|---|---|---|", *rows, ""]


def _measured(result: BudgetVerdict) -> str:
    """The message without the budget's own text, which stands in the column before."""
    return escaped(result.message.removeprefix(f"{result.budget.text}: "))


def _hops(diagnosis: Diagnosis) -> list[str]:
    if not diagnosis.hops:
        return []
    shown = sorted(diagnosis.hops, key=by_cost, reverse=True)[:MAX_HOPS]
    title = "Hops" if len(shown) == len(diagnosis.hops) else f"The {len(shown)} costliest of {len(diagnosis.hops)} hops"
    return [
        f"<details><summary>{title}</summary>",
        "",
        "| hop | kind | calls | failed | p50 | p95 | p99 | p50 before |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        *(_hop_row(hop) for hop in shown),
        "",
        "</details>",
        "",
    ]


def _hop_row(hop: HopSummary) -> str:
    now = waiting_ms(hop.stats)
    before = waiting_ms(hop.baseline) if hop.baseline else None
    times = [now.p50, now.p95, now.p99] if now else [None, None, None]
    cells = [
        code(hop.hop),
        hop.kind,
        words.number(hop.stats.calls),
        words.number(hop.stats.failed),
        *(words.milliseconds(ms) for ms in times),
        words.milliseconds(before.p50 if before else None),
    ]
    return "| " + " | ".join(cells) + " |"
