"""One trace on a terminal: its spans as a tree, a small waterfall beside it, missing time drawn where it is missing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from analysis.report import words
from analysis.report.exemplar import PARTS, Exemplar, LogLine, Row
from analysis.report.palette import CATEGORY_FILLS, CATEGORY_STYLES
from analysis.report.printable import one_line, printable, shortened

__all__ = ["log_lines", "trace_tree"]

DURATION_WIDTH = 10
SEVERITIES = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))
WAIT_CATEGORY = {
    "request_leg": "wire",
    "response_leg": "wire",
    "wire": "wire",
    "queue": "queue",
    "gap": "gap",
    "elsewhere": "queue",
}
"""How a stretch looks that is not on the critical path and so has no category of its own."""


def trace_tree(exemplar: Exemplar, width: int, *, minor: float = 0.0, max_rows: int | None = None) -> RenderableType:
    """Rows in tree order, `width` columns wide. Stretches between spans that are shorter than the part `minor` of the
    trace are left out, and so are rows beyond `max_rows`; the last line says how many."""
    total = max(exemplar.end_ns - exemplar.start_ns, 1)
    rows = [row for row in exemplar.rows if row.part == "span" or row.failure or row.duration_ns >= minor * total]
    shown = rows if max_rows is None else _most_telling(rows, max_rows)
    name_width = max(38, int(width * 0.56))
    lane_width = width - name_width - DURATION_WIDTH - 2
    levels = (name_width - 16) // 3  # of a very deep row the name matters more than its lines
    largest = exemplar.largest
    lines = [
        _line(row, guide, name_width, lane_width, exemplar.start_ns, total, large=row is largest)
        for row, guide in zip(shown, guides([row.depth for row in shown], levels), strict=True)
    ]
    if len(shown) < len(exemplar.rows):
        left_out = words.count_of(len(exemplar.rows) - len(shown), "shorter row")
        lines.append(Text(f"{left_out} left out", style="dim"))
    return Group(*lines)


def _most_telling(rows: Sequence[Row], count: int) -> list[Row]:
    """At most `count` rows: the failed and the longest with all their ancestors, still in tree order."""
    ancestors: list[int] = []
    above: list[tuple[int, ...]] = []
    for index, row in enumerate(rows):
        del ancestors[row.depth :]
        above.append(tuple(ancestors))
        ancestors.append(index)
    kept: set[int] = set()
    order = sorted(range(len(rows)), key=lambda i: (not rows[i].failure, -rows[i].budget_ns, -rows[i].duration_ns))
    for index in order:
        needed = {index, *above[index]} - kept
        if len(kept) + len(needed) <= count:
            kept |= needed
    return [rows[index] for index in sorted(kept)]


def guides(depths: Sequence[int], levels: int = 1_000_000) -> list[str]:
    """The lines that connect each row of a tree to its parent, from the depths of its rows in order; of a deep row only
    the innermost `levels`.

    >>> guides([0, 1, 2, 1])
    ['', '├─ ', '│  └─ ', '└─ ']
    """
    drawn: list[str] = []
    open_levels: set[int] = set()  # levels at which a later row continues, seen from below
    ordered: list[int] = []  # the same, ascending
    for level in reversed(depths):
        while ordered and ordered[-1] > level:
            open_levels.discard(ordered.pop())
        first = max(1, level - levels + 1)
        parts = ["│  " if above in open_levels else "   " for above in range(first, level)]
        if level:
            parts.append("├─ " if level in open_levels else "└─ ")
        if level not in open_levels:
            open_levels.add(level)
            ordered.append(level)
        drawn.append(f"…{''.join(parts)}" if first > 1 else "".join(parts))
    return drawn[::-1]


def _line(row: Row, guide: str, name_width: int, lane_width: int, start_ns: int, total_ns: int, *, large: bool) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(guide, style="dim")
    line.append_text(_label(row, name_width - len(guide), large=large))
    line.append(" " * max(name_width - line.cell_len, 0))
    duration = "" if row.part == "lost" else words.milliseconds(row.duration_ns / 1e6)
    line.append(f"{duration:>{DURATION_WIDTH}}  ", style=_row_style(row, large=large))
    for cell, style in lane(row, lane_width, start_ns, total_ns):
        line.append(cell, style=style)
    line.rstrip()
    return line


def _label(row: Row, width: int, *, large: bool) -> Text:
    failure = f" ✗ {printable(row.failure)}" if row.failure and row.part != "lost" else ""
    room = max(width - len(failure), 8)
    if row.part == "span":
        service = shortened(row.service, max(room - 8, 6))
        label = Text(service, style="bold")
        name = shortened(row.name, max(room - len(service) - 1, 0))
        label.append(f" {name}" if name else "", style="")
    else:
        text = f"┄ {PARTS[row.part]}"
        if row.hop and row.part != "gap" and len(text) + 1 + len(row.hop) <= room:
            text += f" {printable(row.hop)}"
        label = Text(shortened(text, room), style=_row_style(row, large=large) or "dim")
    label.append(failure, style="red")
    return label


def _row_style(row: Row, *, large: bool) -> str:
    if row.failure:
        return "red"
    return "bold red" if large else ""


def lane(row: Row, width: int, start_ns: int, total_ns: int) -> list[tuple[str, str]]:
    """The row's place in time as `width` cells of (character, style): a thin line for the span, fills for what is on
    the critical path."""
    cells = [(" ", "")] * width

    def paint(begin_ns: int, end_ns: int, fill: str, style: str) -> None:
        first = min((begin_ns - start_ns) * width // total_ns, width - 1)
        last = min(-(-(end_ns - start_ns) * width // total_ns), width)
        for index in range(max(first, 0), max(last, first + 1)):
            cells[index] = (fill, style)

    if row.part == "lost":
        paint(row.start_ns, row.end_ns, "?", "red")
    elif row.part == "span":
        paint(row.start_ns, row.end_ns, "─", "dim")
    elif not row.stretches:
        paint(row.start_ns, row.end_ns, "┄", CATEGORY_STYLES[WAIT_CATEGORY[row.part]])
    for stretch in row.stretches:
        paint(stretch.start_ns, stretch.end_ns, CATEGORY_FILLS[stretch.category], CATEGORY_STYLES[stretch.category])
    return cells


def log_lines(logs: Sequence[LogLine], start_ns: int) -> list[RenderableType]:
    """Log records in time order, with their distance from the start of the trace."""
    lines: list[RenderableType] = []
    for log in sorted(logs, key=lambda line: line.time_ns):
        severity = next((name for floor, name in SEVERITIES if log.severity and log.severity >= floor), "")
        offset = words.signed_milliseconds((log.time_ns - start_ns) / 1e6)
        line = Text(f"{offset:>10}  ", style="dim", overflow="fold")
        line.append(f"{severity:<5} ", style="red" if severity in ("ERROR", "FATAL") else "")
        line.append(f"{printable(log.service)}  ", style="bold")
        line.append(one_line(log.body))
        lines.append(line)
    return lines
