"""One trace as it is drawn: spans in tree order, with the time that no span accounts for in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PARTS", "Exemplar", "LogLine", "Part", "Row", "Stretch"]

Part = Literal["span", "request_leg", "response_leg", "wire", "queue", "gap", "lost", "elsewhere"]

PARTS: dict[Part, str] = {
    "span": "span",
    "request_leg": "request leg",
    "response_leg": "response leg",
    "wire": "on the wire",
    "queue": "waiting in the queue",
    "gap": "gap",
    "lost": "never arrived",
    "elsewhere": "waiting, then taken up in another trace",
}
"""What a row can be, and how reports call it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the closed budget that belongs to a row: `category` is one of CATEGORIES."""

    start_ns: int
    end_ns: int
    category: str


@dataclass(frozen=True, slots=True)
class Row:
    """A span, or a stretch of time between spans, one below the other in tree order.

    `stretches` are what this row contributes to the budget of the trace: over all rows they add up to its duration.
    `failure` says in words how the hop failed that this span began, empty if it did not.
    """

    part: Part
    depth: int
    service: str
    name: str
    start_ns: int
    end_ns: int
    span_id: int
    hop: str = ""
    failure: str = ""
    stretches: tuple[Stretch, ...] = ()

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def budget_ns(self) -> int:
        """Time of the trace's budget that this row accounts for."""
        return sum(stretch.end_ns - stretch.start_ns for stretch in self.stretches)


@dataclass(frozen=True, slots=True)
class LogLine:
    time_ns: int
    service: str
    severity: int | None  # OTLP SeverityNumber: 9 is INFO, 13 WARN, 17 ERROR
    body: str
    span_id: int | None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """`end_ns` is when the last row ends: later than the root where work goes on after the answer."""

    trace_id: str  # hex
    title: str  # "service operation" of the root
    start_ns: int
    root_end_ns: int
    end_ns: int
    rows: tuple[Row, ...]
    logs: tuple[LogLine, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[int, ...] = ()  # ranks of the findings that it is an example of

    @property
    def root_ns(self) -> int:
        return self.root_end_ns - self.start_ns

    @property
    def largest(self) -> Row | None:
        """The row that accounts for most time between spans: what a reader should look at first."""
        between = [row for row in self.rows if row.part != "span" and row.budget_ns > 0]
        return max(between, key=lambda row: row.budget_ns, default=None)
