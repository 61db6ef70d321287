"""The report on a terminal: the verdict first, then what to do about it, then the numbers behind it."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.diagnosis import Accounting, Diagnosis, Finding, HopSummary, OperationSummary, Verdict
from analysis.observations import CATEGORIES
from analysis.report import words
from analysis.report.attachments import Attachments
from analysis.report.headline import headline
from analysis.report.ordering import by_cost, waiting_ms
from analysis.report.palette import CATEGORY_FILLS, CATEGORY_STYLES
from analysis.report.printable import printable, shortened
from analysis.report.tree import trace_tree
from analysis.scorecard import Scorecard

__all__ = ["bar", "finding_numbers", "heading", "render", "to_terminal"]

VERDICT_STYLES: dict[Verdict, str] = {
    "ok": "bold green",
    "degraded": "bold yellow",
    "failing": "bold red",
    "inconclusive": "bold magenta",
}
HELD, BROKEN = ("✓", "green"), ("✗", "bold red")

MIN_WIDTH = 80
MAX_FINDINGS = 10
MAX_WARNINGS = 6
MAX_HOPS = 15
MAX_OPERATIONS = 6
OPERATION_WORTH_A_BAR = 0.01
"""Part of all request time below which an operation is left out."""
MAX_TREE_ROWS = 28
HOP_NUMBERS_WIDTH = 57
"""Columns that the hop table needs beside the hop's name."""
MINOR = 0.005
"""Stretches below this part of a trace are not drawn in the report (`tracegap trace` draws all)."""
COMPLETION_WORTH_SAYING = 1.05


def render(
    diagnosis: Diagnosis, attachments: Attachments | None = None, *, width: int = MIN_WIDTH, colour: bool = False
) -> str:
    """The report, at least 80 columns wide. With `colour`, styled by ANSI escape sequences of ours alone."""
    attachments = attachments or Attachments()
    width = max(width, MIN_WIDTH)
    sections = [
        _headline(diagnosis, attachments),
        _findings(diagnosis),
        _budgets(attachments),
        _accounting(diagnosis, width),
        _hops(diagnosis.hops, width),
        _exemplar(attachments, width),
        _scorecard(attachments.scorecard),
        _next_steps(attachments),
    ]
    return to_terminal([section for section in sections if section is not None], width=width, colour=colour)


def to_terminal(sections: list[RenderableType], *, width: int, colour: bool) -> str:
    """Sections with an empty line between them, as the text that a terminal of this width shows."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for index, section in enumerate(sections):
        if index:
            console.print()
        console.print(section, crop=False)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().split("\n"))


def heading(text: str) -> Text:
    return Text(text, style="bold")


def _headline(diagnosis: Diagnosis, attachments: Attachments) -> RenderableType:
    summary = diagnosis.input
    line = Text.assemble(
        ("tracegap: ", "bold"), (diagnosis.verdict.upper(), VERDICT_STYLES[diagnosis.verdict]), no_wrap=False
    )
    if attachments.source:
        line.append(f"  {printable(attachments.source)}", style="dim")
    counts = (
        f"{words.count_of(summary.traces, 'trace')}, {words.count_of(summary.spans, 'span')}, "
        f"{words.count_of(len(summary.services), 'service')}"
    )
    if summary.incomplete_traces:
        counts += f"; {words.count_of(summary.incomplete_traces, 'trace')} incomplete"
    lines: list[RenderableType] = [line, Text(counts)]
    lines += [Text(f"! {printable(reason)}", style="magenta") for reason in diagnosis.reasons]
    lines += [Text(f"! {printable(warning)}", style="yellow") for warning in summary.warnings[:MAX_WARNINGS]]
    if len(summary.warnings) > MAX_WARNINGS:
        more = words.count_of(len(summary.warnings) - MAX_WARNINGS, "more warning")
        lines.append(Text(f"! and {more}", style="yellow"))
    return Group(*lines)


def _findings(diagnosis: Diagnosis) -> RenderableType:
    if not diagnosis.findings:
        return Group(heading("FINDINGS"), Text(headline(diagnosis)))
    shown = [_finding(finding) for finding in diagnosis.findings[:MAX_FINDINGS]]
    if len(diagnosis.findings) > MAX_FINDINGS:
        more = words.count_of(len(diagnosis.findings) - MAX_FINDINGS, "lesser finding")
        shown.append(Text(f"and {more}: --format html and --format json have all", style="dim"))
    return Group(heading("FINDINGS"), *shown)


def _finding(finding: Finding) -> RenderableType:
    style = "red" if finding.kind == "failure" else "yellow"
    title = Text.assemble(f"{finding.rank:>2}  ", (printable(finding.culprit), f"bold {style}"))
    title.append(f"  {printable(finding.cause)}")
    if finding.leg:
        title.append(f" on the {finding.leg} leg")
    if finding.phase:
        title.append(f"  [{printable(finding.phase)}]", style="dim")
    details = [Text(printable(finding.summary)), Text(finding_numbers(finding), style="dim")]
    if finding.traces:
        details.append(Text("traces " + "  ".join(printable(trace) for trace in finding.traces), style="dim"))
    return Group(title, Padding(Group(*details), (0, 0, 0, 4)))


def finding_numbers(finding: Finding) -> str:
    """The finding's size, interval, share and certainty on one line, as far as it has them."""
    parts: list[str] = []
    if finding.delta_ms is not None:
        size = words.signed_milliseconds(finding.delta_ms)
        if finding.interval_ms is not None:
            size += f" (95 %: {words.interval(finding.interval_ms)})"
        parts.append(size)
    if finding.share is not None:
        parts.append(f"{words.percent(finding.share)} of the change")
    if finding.count is not None:
        parts.append(f"{words.number(finding.count)} affected")
    if finding.rate is not None:
        parts.append(f"rate {words.percent(finding.rate)}")
    if finding.instance is not None:
        parts.append(f"instance {printable(finding.instance)} alone")
    if finding.since_ns is not None:
        parts.append(f"since {words.clock_time(finding.since_ns)}")
    parts.append(f"confidence {words.percent(finding.confidence)}")
    return ", ".join(parts)


def _accounting(diagnosis: Diagnosis, width: int) -> RenderableType | None:
    """One bar per operation, the most expensive first; only the whole when there is one operation."""
    if diagnosis.accounting.root_ms <= 0:
        return None
    legend = Text("  ")
    for category in CATEGORIES:
        if part_of(diagnosis.accounting, category) == 0:
            continue
        legend.append(CATEGORY_FILLS[category], style=CATEGORY_STYLES[category])
        legend.append(f" {category} {words.percent(part_of(diagnosis.accounting, category))}  ")
    worth_a_bar = diagnosis.accounting.root_ms * OPERATION_WORTH_A_BAR
    operations = sorted(diagnosis.operations, key=lambda operation: -operation.accounting.root_ms)
    shown = [operation for operation in operations[:MAX_OPERATIONS] if operation.accounting.root_ms >= worth_a_bar]
    rows: list[RenderableType] = []
    for operation in shown:
        rows += [_operation(operation), Text.assemble("  ", *bar(operation.accounting, width - 2))]
    title = f"TIME  {words.milliseconds(diagnosis.accounting.root_ms)} of requests"
    if len(shown) < len(operations):
        title += f"; the {len(shown)} costliest of {words.count_of(len(operations), 'operation')}"
    return Group(heading(title), legend, *rows)


def _operation(operation: OperationSummary) -> Text:
    text = f"  {printable(operation.name)}: {words.count_of(operation.traces, 'request')}"
    if operation.failed:
        text += f", {words.number(operation.failed)} failed"
    text += f", p50 {words.milliseconds(operation.p50_ms)}, p95 {words.milliseconds(operation.p95_ms)}"
    if operation.completion_p95_ms > operation.p95_ms * COMPLETION_WORTH_SAYING:
        text += f", complete after {words.milliseconds(operation.completion_p95_ms)} (p95)"
    return Text(text)


def bar(budget: Accounting, width: int) -> list[tuple[str, str]]:
    """The budget as one bar of exactly `width` cells (none for an empty budget); the largest remainders get the cells
    that rounding leaves over."""
    if budget.root_ms <= 0:
        return []
    exact = [part_of(budget, category) * width for category in CATEGORIES]
    cells = [int(length) for length in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: cells[index] - exact[index])
    for index in by_remainder[: width - sum(cells)]:
        cells[index] += 1
    return [
        (CATEGORY_FILLS[category] * count, CATEGORY_STYLES[category])
        for category, count in zip(CATEGORIES, cells, strict=True)
    ]


def part_of(budget: Accounting, category: str) -> float:
    """The category's part of the whole, 0..1."""
    value: float = getattr(budget, f"{category}_ms")
    return value / budget.root_ms if budget.root_ms > 0 else 0.0


def _hops(hops: tuple[HopSummary, ...], width: int) -> RenderableType | None:
    if not hops:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("  hop", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for name in ("calls", "failed", "p50 ms", "p95", "p99", "before"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = sorted(hops, key=by_cost, reverse=True)[:MAX_HOPS]
    for hop in shown:
        table.add_row(*_hop_row(hop, width - HOP_NUMBERS_WIDTH))
    title = "HOPS  wire time of calls, queue time of messages; before: p50 of the baseline"
    if len(shown) < len(hops):
        title = f"HOPS  the {len(shown)} costliest of {words.number(len(hops))}; before: p50 of the baseline"
    return Group(heading(title), table)


def _hop_row(hop: HopSummary, name_width: int) -> list[str | Text]:
    stats = hop.stats
    times = waiting_ms(stats)
    before = None if hop.baseline is None else waiting_ms(hop.baseline)
    percentiles = (times.p50, times.p95, times.p99) if times else (None, None, None)
    return [
        Text("  " + shortened(hop.hop, name_width)),
        hop.kind,
        words.number(stats.calls),
        Text(words.number(stats.failed), style="red" if stats.failed else ""),
        *(words.bare_milliseconds(ms) for ms in percentiles),
        words.bare_milliseconds(before.p50 if before else None),
    ]


def _exemplar(attachments: Attachments, width: int) -> RenderableType | None:
    """One slow request in full."""
    if not attachments.exemplars:
        return None
    exemplar = attachments.exemplars[0]
    title = f"ONE TRACE  {printable(exemplar.title)}, {words.milliseconds(exemplar.root_ns / 1e6)}, {exemplar.trace_id}"
    tree = trace_tree(exemplar, width, minor=MINOR, max_rows=MAX_TREE_ROWS)
    return Group(heading(title), tree)


def _budgets(attachments: Attachments) -> RenderableType | None:
    if not attachments.budgets:
        return None
    lines = [marked(HELD if result.held else BROKEN, result.message) for result in attachments.budgets]
    return Group(heading("BUDGETS"), *lines)


def marked(mark: tuple[str, str], text: str) -> RenderableType:
    """The text behind its mark, continued where it began."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=3, justify="right")
    grid.add_column()
    grid.add_row(Text(*mark), Text(printable(text)))
    return grid


def _scorecard(scorecard: Scorecard | None) -> RenderableType | None:
    if scorecard is None:
        return None
    lines: list[RenderableType] = []
    for fault in scorecard.faults:
        mark = HELD if fault.found else BROKEN if fault.counts else ("–", "dim")
        text = fault.message
        if fault.reported_ms is not None:
            text += f"; reported {words.signed_milliseconds(fault.reported_ms)}"
            if fault.fault.measured_ms is not None:
                text += f", measured {words.milliseconds(fault.fault.measured_ms)}"
        lines.append(marked(mark, text))
    title = (
        f"SCORECARD  {scorecard.found} found, {scorecard.missed} missed, "
        f"{words.count_of(len(scorecard.false_findings), 'false finding')}"
    )
    return Group(heading(title), *lines)


def _next_steps(attachments: Attachments) -> RenderableType | None:
    # Never wrapped: a command or a path must survive being copied from here.
    lines = [Text(f"  {printable(command)}", no_wrap=True, overflow="ignore") for command in attachments.commands]
    lines += [Text(f"  report: {printable(name)}", no_wrap=True, overflow="ignore") for name in attachments.files]
    return Group(heading("NEXT"), *lines) if lines else None
