from __future__ import annotations

import re
from dataclasses import replace

import pytest

from analysis.diagnosis import Accounting, HopSummary, InputSummary
from analysis.report import text, trace_text
from analysis.report.tree import trace_tree
from tests.analysis.report.samples import (
    ALL_BUDGET,
    DEMO,
    DEMO_ATTACHMENTS,
    EMPTY,
    LOST_ORDER,
    PAYMENT_HOP,
    SLOW_CHECKOUT,
    SLOW_PAYMENT,
    accounting,
)

EVIL = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\x9b31m[bold red]name[/]:smile:"
OURS = re.compile(r"\x1b\[[0-9;]*m")
"""Colours are the only escape sequences that a report may hold."""


def lines_of(report: str) -> list[str]:
    return OURS.sub("", report).split("\n")


@pytest.mark.parametrize("width", [80, 100, 133, 200])
def test_a_report_fits_the_terminal(width: int) -> None:
    """No line is wider than the terminal, but for commands and paths, which must survive being copied."""
    for line in lines_of(text.render(DEMO, DEMO_ATTACHMENTS, width=width)):
        assert len(line) <= width or line.startswith(("  tracegap ", "  report: "))


def test_a_narrow_terminal_gets_eighty_columns() -> None:
    """Below 80 columns a table says nothing, so the terminal wraps it."""
    assert text.render(DEMO, DEMO_ATTACHMENTS, width=40) == text.render(DEMO, DEMO_ATTACHMENTS, width=80)


def test_colour_is_only_colour() -> None:
    """Without colour the same report, character by character."""
    plain = text.render(DEMO, DEMO_ATTACHMENTS)
    coloured = text.render(DEMO, DEMO_ATTACHMENTS, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert [line.rstrip() for line in lines_of(coloured)] == plain.split("\n")


def test_the_report_names_what_a_new_user_must_see() -> None:
    """Hop, leg, milliseconds with interval, share; the lost messages with trace ids; where report.html is."""
    report = " ".join(text.render(DEMO, DEMO_ATTACHMENTS).split())
    assert "gateway->payment delay on the response leg" in report
    assert "+1,500 ms (95 %: 1,498 ms to 1,504 ms), 99 % of the change" in report
    assert "gateway->fulfillment lost_message" in report
    assert "37 of 212 messages" in report
    assert "0af7651916cd43dd8448eb211c80319c" in report
    assert "report.html" in report
    assert report.index("FINDINGS") < report.index("TIME") < report.index("HOPS") < report.index("ONE TRACE")


def test_the_gap_is_drawn_in_its_place() -> None:
    """The slow response leg stands between the callee's span and the caller's next, and is the longest bar."""
    tree = lines_of(trace_text.render(SLOW_CHECKOUT, width=120))
    charge = next(index for index, line in enumerate(tree) if "payment POST /charges" in line)
    assert "response leg gateway->payment" in tree[charge + 1]
    assert tree[charge + 1].count("▓") == max(line.count("▓") for line in tree)
    assert "1,501 ms" in tree[charge + 1]


def test_a_lost_message_is_drawn_where_its_consumer_should_be() -> None:
    """What never happened has a row, below the span that sent it."""
    tree = lines_of(trace_text.render(LOST_ORDER, width=120))
    sent = next(index for index, line in enumerate(tree) if "orders publish" in line)
    assert "✗ lost message" in tree[sent]
    assert "never arrived gateway->fulfillment" in tree[sent + 1]


def test_logs_of_a_trace_stand_in_time_order() -> None:
    """Whatever order they came in."""
    shuffled = replace(SLOW_CHECKOUT, logs=SLOW_CHECKOUT.logs[::-1])
    report = trace_text.render(shuffled)
    assert report.index("reserved 2 items") < report.index("charged 42.00") < report.index("payment took")
    assert "WARN" in report


@pytest.mark.parametrize("colour", [False, True])
def test_names_from_traces_cannot_steer_the_terminal(colour: bool) -> None:
    """An escape sequence, a carriage return or rich markup in any name comes out as text."""
    diagnosis = replace(
        DEMO,
        input=InputSummary(1, 1, 1, (EVIL,), (EVIL,)),
        hops=tuple(replace(hop, hop=f"{EVIL}->{EVIL}") for hop in DEMO.hops),
        operations=tuple(replace(operation, name=EVIL) for operation in DEMO.operations),
        findings=(replace(SLOW_PAYMENT, culprit=EVIL, cause=EVIL, summary=EVIL, phase=EVIL, instance=EVIL),),
        reasons=(EVIL,),
    )
    rows = tuple(replace(row, service=EVIL, name=EVIL, failure=EVIL) for row in SLOW_CHECKOUT.rows)
    logs = tuple(replace(line, service=EVIL, body=EVIL) for line in SLOW_CHECKOUT.logs)
    exemplar = replace(SLOW_CHECKOUT, title=EVIL, rows=rows, logs=logs, warnings=(EVIL,))
    attachments = replace(DEMO_ATTACHMENTS, source=EVIL, exemplars=(exemplar,), files=(EVIL,), commands=(EVIL,))
    for report in (
        text.render(diagnosis, attachments, colour=colour),
        trace_text.render(exemplar, colour=colour),
    ):
        assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", OURS.sub("", report)) is None
        assert "[bold red]" in report
        assert ":smile:" in report


@pytest.mark.parametrize(
    ("budget", "cells"),
    [
        (accounting(1, 1, 1, 1, 1, 1), [2, 2, 2, 2, 1, 1]),
        (accounting(0, 99.9, 0.1, 0, 0, 0), [0, 10, 0, 0, 0, 0]),
        (accounting(0, 0, 0, 0, 0, 5), [0, 0, 0, 0, 0, 10]),
    ],
)
def test_a_bar_is_exactly_as_wide_as_it_should_be(budget: Accounting, cells: list[int]) -> None:
    """Rounding neither loses nor adds a cell."""
    assert [len(fill) for fill, _ in text.bar(budget, 10)] == cells


def test_no_time_at_all_has_no_bar() -> None:
    """An empty input divides nothing by zero."""
    assert text.bar(EMPTY.accounting, 10) == []
    assert sum(len(fill) for fill, _ in text.bar(ALL_BUDGET, 73)) == 73


def test_thousands_of_hops_are_cut_to_the_costliest() -> None:
    """A report of a large system stays a page, and says what it left out."""
    hops = tuple(replace(PAYMENT_HOP, hop=f"a->{index:04}") for index in range(1000))
    report = text.render(replace(DEMO, hops=(*hops, worst_hop())))
    assert "1,001" in report
    assert "a->worst" in report
    assert report.count("a->0") < 20


def test_hundreds_of_findings_and_warnings_are_cut() -> None:
    """The dearest stay, and the report says how many more there are and where."""
    diagnosis = replace(
        DEMO,
        findings=tuple(replace(SLOW_PAYMENT, rank=rank) for rank in range(1, 301)),
        input=replace(DEMO.input, warnings=tuple(f"warning {number}" for number in range(300))),
    )
    report = text.render(diagnosis)
    assert "and 290 lesser findings" in report
    assert "and 294 more warnings" in report


def worst_hop() -> HopSummary:
    return replace(PAYMENT_HOP, hop="a->worst", stats=replace(PAYMENT_HOP.stats, failed=600))


def test_a_large_trace_keeps_the_rows_that_tell_something() -> None:
    """Of ten thousand spans, the failed one and the longest stay, with the spans that they lie in."""
    leaf = next(row for row in SLOW_CHECKOUT.rows if row.name == "UPDATE stock")
    many = tuple(replace(leaf, span_id=1000 + index, stretches=()) for index in range(10_000))
    failed = replace(leaf, span_id=999, name="DELETE stock", failure="timeout")
    large = replace(SLOW_CHECKOUT, rows=(*SLOW_CHECKOUT.rows[:8], *many, failed, *SLOW_CHECKOUT.rows[8:]))
    shown = text.to_terminal([trace_tree(large, 100, max_rows=20)], width=100, colour=False)
    assert "DELETE stock ✗ timeout" in shown
    assert "response leg gateway->payment" in shown
    assert "POST /reservations" in shown
    assert "shorter rows left out" in shown
    assert len(shown.split("\n")) < 25
