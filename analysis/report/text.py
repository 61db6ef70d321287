"""The report on a terminal: the verdict first, then what to do about it, then the numbers behind it."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.diagnosis import Accounting, Diagnosis, Finding, HopStats, HopSummary, OperationSummary, Verdict
from analysis.observations import CATEGORIES
from analysis.report import words
from analysis.report.attachments import Attachments
from analysis.report.printable import printable, shortened

__all__ = ["CATEGORY_STYLES", "render", "to_terminal"]

VERDICT_STYLES: dict[Verdict, str] = {
    "ok": "bold green",
    "degraded": "bold yellow",
    "failing": "bold red",
    "inconclusive": "bold magenta",
}
CATEGORY_STYLES = {
    "self": "blue",
    "wire": "red",
    "peer": "cyan",
    "queue": "yellow",
    "overlap": "bright_black",
    "gap": "magenta",
}
CATEGORY_FILLS = dict(zip(CATEGORIES, "█▓▒░·╳", strict=True))
"""A fill of its own per category: the bar must also be readable without colour."""

MIN_WIDTH = 80
MAX_HOPS = 15


def render(
    diagnosis: Diagnosis, attachments: Attachments | None = None, *, width: int = MIN_WIDTH, colour: bool = False
) -> str:
    """The report, at least 80 columns wide. With `colour`, styled by ANSI escape sequences of ours alone."""
    attachments = attachments or Attachments()
    width = max(width, MIN_WIDTH)
    sections = [
        _headline(diagnosis, attachments),
        _findings(diagnosis, attachments),
        _accounting(diagnosis, width),
        _hops(diagnosis.hops, width),
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
        console.print(section)
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
    lines += [Text(f"! {printable(warning)}", style="yellow") for warning in summary.warnings]
    return Group(*lines)


def _findings(diagnosis: Diagnosis, attachments: Attachments) -> RenderableType:
    if not diagnosis.findings:
        nothing = {
            "ok": "Nothing changed beyond chance, and no hop failed more than before.",
            "inconclusive": "Too little was seen to say whether anything is wrong: this is not a clean report.",
        }
        return Group(heading("FINDINGS"), Text(nothing.get(diagnosis.verdict, "None.")))
    return Group(heading("FINDINGS"), *(_finding(finding) for finding in diagnosis.findings))


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


def _accounting(diagnosis: Diagnosis, width: int) -> RenderableType:
    budgets = [("all traces", diagnosis.accounting)]
    rows = [_budget_row(name, budget, width) for name, budget in budgets]
    legend = Text("      ")
    for category in CATEGORIES:
        legend.append(CATEGORY_FILLS[category], style=CATEGORY_STYLES[category])
        legend.append(f" {category} {words.percent(_part(diagnosis.accounting, category))}   ")
    return Group(
        heading(f"TIME  {words.milliseconds(diagnosis.accounting.root_ms)} of requests"), *rows, Text(legend.plain)
    )


def _budget_row(name: str, budget: Accounting, width: int) -> Text:
    return Text.assemble("      ", *bar(budget, width - 6))


def bar(budget: Accounting, width: int) -> list[tuple[str, str]]:
    """The budget as one bar of exactly `width` cells (none for an empty budget): largest remainders get the cells
    that rounding leaves over."""
    if budget.root_ms <= 0:
        return []
    exact = [_part(budget, category) * width for category in CATEGORIES]
    cells = [int(length) for length in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: cells[index] - exact[index])
    for index in by_remainder[: width - sum(cells)]:
        cells[index] += 1
    return [
        (CATEGORY_FILLS[category] * count, CATEGORY_STYLES[category])
        for category, count in zip(CATEGORIES, cells, strict=True)
    ]


def _part(budget: Accounting, category: str) -> float:
    value: float = getattr(budget, f"{category}_ms")
    return value / budget.root_ms if budget.root_ms > 0 else 0.0


def _hops(hops: tuple[HopSummary, ...], width: int) -> RenderableType | None:
    if not hops:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("hop", no_wrap=True)
    for name in ("kind", "calls", "failed", "p50", "p95", "p99", "p50 before"):
        table.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
    name_width = max(20, width - 62)
    shown = sorted(hops, key=_cost, reverse=True)[:MAX_HOPS]
    for hop in shown:
        table.add_row(*_hop_row(hop, name_width))
    title = "HOPS  wire time of calls, queue time of messages"
    if len(shown) < len(hops):
        title += f"; {len(shown)} of {len(hops)}, the costliest first"
    return Group(heading(title), table)


def _hop_row(hop: HopSummary, name_width: int) -> list[str | Text]:
    stats = hop.stats
    times = waiting(stats)
    before = None if hop.baseline is None else waiting(hop.baseline)
    failed = Text(words.number(stats.failed), style="red" if stats.failed else "")
    percentiles = (times.p50, times.p95, times.p99) if times else (None, None, None)
    return [
        Text(shortened(hop.hop, name_width)),
        hop.kind,
        words.number(stats.calls),
        failed,
        *(words.milliseconds(ms) for ms in percentiles),
        words.milliseconds(before.p50 if before else None),
    ]


def waiting(stats: HopStats):  # type: ignore[no-untyped-def]
    return stats.wire_ms or stats.queue_ms


def _cost(hop: HopSummary) -> float:
    times = waiting(hop.stats)
    return float(hop.stats.failed) * 1e12 + (times.p50 * hop.stats.calls if times else 0.0)


def _operations(operations: tuple[OperationSummary, ...]) -> RenderableType | None:
    return None


def _next_steps(attachments: Attachments) -> RenderableType | None:
    if not attachments.commands and not attachments.files:
        return None
    lines = [Text(f"  {printable(command)}") for command in attachments.commands]
    lines += [Text(f"  report: {printable(name)}") for name in attachments.files]
    return Group(heading("NEXT"), *lines)
