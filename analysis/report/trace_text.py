"""One trace on a terminal: what it was, its tree with everything that took time, its logs."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from analysis.observations import CATEGORIES
from analysis.report import words
from analysis.report.exemplar import PARTS, Exemplar
from analysis.report.palette import CATEGORY_FILLS, CATEGORY_STYLES
from analysis.report.printable import printable
from analysis.report.text import MIN_WIDTH, heading, to_terminal
from analysis.report.tree import log_lines, trace_tree

__all__ = ["render"]


def render(exemplar: Exemplar, *, width: int = MIN_WIDTH, colour: bool = False) -> str:
    """At least 80 columns wide. With `colour`, styled by ANSI escape sequences of ours alone."""
    width = max(width, MIN_WIDTH)
    sections: list[RenderableType] = [_headline(exemplar), trace_tree(exemplar, width)]
    if exemplar.logs:
        logs = log_lines(exemplar.logs, exemplar.start_ns)
        sections.append(Group(heading(f"LOGS  {words.count_of(len(logs), 'line')}"), *logs))
    return to_terminal(sections, width=width, colour=colour)


def _headline(exemplar: Exemplar) -> RenderableType:
    lines = [
        Text.assemble((printable(exemplar.title), "bold"), f"  {words.milliseconds(exemplar.root_ns / 1e6)}"),
        Text(f"trace {exemplar.trace_id}, started {words.clock_time(exemplar.start_ns, day=True)}"),
        _budget(exemplar),
    ]
    if exemplar.end_ns > exemplar.root_end_ns:
        last = words.milliseconds((exemplar.end_ns - exemplar.start_ns) / 1e6)
        lines.append(Text(f"Work went on after the answer: the last span ended after {last}."))
    largest = exemplar.largest
    if largest is not None:
        size = words.milliseconds(largest.budget_ns / 1e6)
        where = f"{PARTS[largest.part]} of {printable(largest.hop or largest.service)}"
        share = words.percent(largest.budget_ns / max(exemplar.root_ns, 1))
        lines.append(Text(f"Largest stretch without a span: {size} ({share}), {where}."))
    lines += [Text(f"! {printable(warning)}", style="yellow") for warning in exemplar.warnings]
    return Group(*lines)


def _budget(exemplar: Exemplar) -> Text:
    line = Text()
    for category in CATEGORIES:
        time_ns = sum(
            piece.end_ns - piece.start_ns
            for row in exemplar.rows
            for piece in row.stretches
            if piece.category == category
        )
        if time_ns:
            line.append(f"{CATEGORY_FILLS[category]} ", style=CATEGORY_STYLES[category])
            line.append(f"{category} {words.milliseconds(time_ns / 1e6)}  ")
    return line
