"""The report as one self-contained HTML file: no script, no outside resource, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import jinja2

from analysis.diagnosis import Accounting, Diagnosis, OperationSummary
from analysis.observations import CATEGORIES
from analysis.report import words
from analysis.report.attachments import Attachments
from analysis.report.charts import failure_bars, histogram, timeline_chart
from analysis.report.exemplar import PARTS, Exemplar, Row
from analysis.report.headline import headline
from analysis.report.hop_map import hop_map
from analysis.report.ordering import by_cost, waiting_ms
from analysis.report.printable import one_line, printable, shortened

__all__ = ["render", "render_trace"]

MAX_MAP_HOPS = 40
MAX_TABLE_HOPS = 500
MAX_ROWS = 400
MAX_BUDGET_OPERATIONS = 12
# A stretch shorter than this part of its trace is nothing to look at: its row is left out, its time stays in the sums.
MINOR = 0.002


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """Mean time per request, on the scale of the longest line of its operation."""

    label: str
    requests: int
    mean_ms: float
    pieces: tuple[tuple[str, float, str], ...]  # category, percent of the longest line, title


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the waterfall; lefts and widths are percents of the trace."""

    row: Row
    left: float
    width: float
    pieces: tuple[tuple[str, float, float, str], ...]  # category, left, width, title
    large: bool


def render(diagnosis: Diagnosis, attachments: Attachments | None = None) -> str:
    """The whole report."""
    attachments = attachments or Attachments()
    costliest = sorted(diagnosis.hops, key=by_cost, reverse=True)
    blamed = {finding.culprit for finding in diagnosis.findings} | {f.hop for f in diagnosis.findings if f.hop}
    charts = {item.rank: histogram(item) for item in attachments.distributions}
    failures = {rate.rank: failure_bars(rate, diagnosis.phases) for rate in attachments.failure_rates}
    timeline = timeline_chart(attachments.timeline, diagnosis.phases) if attachments.timeline else None
    return (
        _environment()
        .get_template("report.html")
        .render(
            d=diagnosis,
            a=attachments,
            headline=headline(diagnosis),
            hops=costliest[:MAX_TABLE_HOPS],
            hop_map=hop_map(costliest[:MAX_MAP_HOPS]),
            max_map_hops=MAX_MAP_HOPS,
            blamed=blamed,
            slower={f.hop: f.delta_ms for f in reversed(diagnosis.findings) if f.hop and f.delta_ms is not None},
            charts=charts,
            failures=failures,
            timeline=timeline,
            budgets=_budgets(diagnosis),
            traces=[(exemplar, _lanes(exemplar)) for exemplar in attachments.exemplars],
            drawn={exemplar.trace_id for exemplar in attachments.exemplars},
        )
    )


def render_trace(exemplar: Exemplar) -> str:
    """One trace on a page of its own."""
    template = _environment().get_template("trace.html")
    # There are no findings on this page that the trace could be an example of.
    alone = replace(exemplar, findings=())
    return template.render(exemplar=alone, lanes=_lanes(alone))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words, categories=CATEGORIES, parts=PARTS, waiting_ms=waiting_ms, anchor=_anchor, max_rows=MAX_ROWS
    )
    environment.filters.update(
        cut=shortened,
        one_line=one_line,
        ms=words.milliseconds,
        signed_ms=words.signed_milliseconds,
        n=words.number,
        percent=words.percent,
    )
    return environment


def _shown(value: object) -> object:
    """Escaping makes names harmless in HTML; control characters have no place in it at all."""
    return printable(value) if type(value) is str else value


def _anchor(trace_id: str) -> str:
    """An id for links within the page: trace ids are hex, anything else in one is dropped."""
    return "trace-" + "".join(character for character in trace_id if character in "0123456789abcdef")


def _budgets(diagnosis: Diagnosis) -> list[tuple[str, list[BudgetLine]]]:
    """Per operation, one line per phase; without phases one line for all."""
    named: dict[str, list[tuple[str, OperationSummary]]] = {}
    for operation in diagnosis.operations[:MAX_BUDGET_OPERATIONS]:
        named[operation.name] = [] if diagnosis.phases else [("all requests", operation)]
    for phase in diagnosis.phases:
        for operation in phase.operations:
            if operation.name in named:
                named[operation.name].append((phase.name, operation))
    return [(name, _budget_lines(lines)) for name, lines in named.items() if lines]


def _budget_lines(lines: Sequence[tuple[str, OperationSummary]]) -> list[BudgetLine]:
    means = [operation.accounting.root_ms / operation.traces if operation.traces else 0.0 for _, operation in lines]
    longest = max(means) or 1.0
    return [
        BudgetLine(label, operation.traces, mean, _pieces(operation.accounting, operation.traces, longest))
        for (label, operation), mean in zip(lines, means, strict=True)
    ]


def _pieces(accounting: Accounting, traces: int, longest_ms: float) -> tuple[tuple[str, float, str], ...]:
    pieces = []
    for category in CATEGORIES:
        mean: float = getattr(accounting, f"{category}_ms") / max(traces, 1)
        if mean > 0:
            pieces.append((category, 100 * mean / longest_ms, f"{category}: {words.milliseconds(mean)} per request"))
    return tuple(pieces)


def _lanes(exemplar: Exemplar) -> list[Lane]:
    total = max(exemplar.end_ns - exemplar.start_ns, 1)
    largest = exemplar.largest
    shown = [row for row in exemplar.rows if row.part == "span" or row.failure or row.duration_ns >= MINOR * total]
    return [_lane(row, exemplar.start_ns, total, large=row is largest) for row in shown[:MAX_ROWS]]


def _lane(row: Row, start_ns: int, total_ns: int, *, large: bool) -> Lane:
    def percent(time_ns: int) -> float:
        return 100 * min(max(time_ns - start_ns, 0), total_ns) / total_ns

    pieces = tuple(
        (
            piece.category,
            percent(piece.start_ns),
            percent(piece.end_ns) - percent(piece.start_ns),
            f"{piece.category} {words.milliseconds((piece.end_ns - piece.start_ns) / 1e6)}",
        )
        for piece in row.stretches
    )
    left = percent(row.start_ns)
    # What never arrived is missing until the end.
    right = 100.0 if row.part == "lost" else percent(row.end_ns)
    return Lane(row, left, right - left, pieces, large)
