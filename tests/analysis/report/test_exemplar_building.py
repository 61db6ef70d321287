from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings

from analysis.observe import observe
from analysis.report import html, trace_json, trace_text
from analysis.report.exemplar import Exemplar
from analysis.report.exemplar_building import draw_trace
from analysis.report.trace_json import critical_path_of
from analysis.resolve_callees import resolve_callees
from tests.analysis.builders import EPOCH_NS, Span, span, table, trace_id
from tests.analysis.strategies import traces


def drawn(*spans: Span, trace: str = "T") -> Exemplar:
    rows = table(*spans)
    return draw_trace(trace_id(trace), rows, resolve_callees(observe(rows)))


def picture(exemplar: Exemplar) -> list[tuple[str, int, str, float, float]]:
    """(part, depth, name or hop, start in ms, length in ms) of every row."""
    return [
        (row.part, row.depth, row.name or row.hop, (row.start_ns - EPOCH_NS) / 1e6, row.duration_ns / 1e6)
        for row in exemplar.rows
    ]


def test_legs_and_gaps_stand_where_the_time_passed() -> None:
    """A call's legs lie under its client span, a gap under the span that nobody worked in."""
    exemplar = drawn(
        span("root", service="a", kind="server", ms=100),
        span("call", parent="root", service="a", kind="client", start_ms=10, ms=60),
        span("work", parent="call", service="b", kind="server", start_ms=15, ms=20),
    )
    assert picture(exemplar) == [
        ("span", 0, "root", 0, 100),
        ("gap", 1, "", 0, 10),
        ("span", 1, "call", 10, 60),
        ("request_leg", 2, "a->b", 10, 5),
        ("span", 2, "work", 15, 20),
        ("response_leg", 2, "a->b", 35, 35),
        ("gap", 1, "", 70, 30),
    ]
    assert exemplar.largest is not None
    assert exemplar.largest.part == "response_leg"


def test_a_callee_without_spans_keeps_its_time_on_the_span() -> None:
    """A database call is one row: nothing lies within it that could be drawn apart."""
    exemplar = drawn(
        span("root", service="a", kind="server", ms=10),
        span("SELECT", parent="root", service="a", kind="client", ms=10, peer="postgresql"),
    )
    assert picture(exemplar) == [("span", 0, "root", 0, 10), ("span", 1, "SELECT", 0, 10)]
    assert [stretch.category for stretch in exemplar.rows[1].stretches] == ["peer"]


def test_a_message_waits_before_its_consumer() -> None:
    """The row of the queue stands above the consumer's span, from the end of the send to its start."""
    exemplar = drawn(
        span("root", service="a", kind="server", ms=10),
        span("send", parent="root", service="a", kind="producer", start_ms=8, ms=1),
        span("process", parent="send", service="b", kind="consumer", start_ms=500, ms=5),
    )
    assert ("queue", 2, "a->b", 9, 491) in picture(exemplar)
    assert exemplar.root_ns == 10_000_000
    assert exemplar.end_ns - exemplar.start_ns == 505_000_000


def test_a_lost_message_is_named_after_who_should_have_had_it() -> None:
    """Other traces know the subscriber, so the row says whom the message never reached."""
    spans: list[Span] = []
    for number in range(20):
        trace, lost = f"T{number}", number == 7
        spans.append(span("root", trace=trace, service="a", kind="server", ms=10))
        spans.append(span("send", trace=trace, parent="root", service="a", kind="producer", ms=1, destination="orders"))
        if not lost:
            spans.append(
                span("process", trace=trace, parent="send", service="b", kind="consumer", destination="orders")
            )
    exemplar = drawn(*spans, trace="T7")
    lost_row = next(row for row in exemplar.rows if row.part == "lost")
    assert (lost_row.hop, lost_row.service, lost_row.depth) == ("a->b", "b", 2)
    assert next(row.failure for row in exemplar.rows if row.name == "send") == "lost message"


def test_a_message_that_another_trace_took_up_is_not_lost() -> None:
    """Its row says how long it waited, although its consumer's span is elsewhere."""
    exemplar = drawn(
        span("root", service="a", kind="server", ms=10),
        span("send", parent="root", service="a", kind="producer", start_ms=8, ms=1),
        span("process", trace="U", service="b", kind="consumer", start_ms=59, ms=5, links=[("T", "send")]),
    )
    assert [row.failure for row in exemplar.rows] == ["", "", "", "", ""]
    assert ("elsewhere", 2, "a->b", 9, 50) in picture(exemplar)


def test_a_failed_call_says_how() -> None:
    """The words stand with the client span."""
    exemplar = drawn(
        span("root", service="a", kind="server", ms=100),
        span("call", parent="root", service="a", kind="client", ms=90, error_type="httpx.ReadTimeout", address="b:80"),
    )
    assert exemplar.rows[1].failure.startswith("timeout")


def two_hosts(work_ms: float) -> tuple[Span, ...]:
    """A call of 20 ms between hosts whose callee worked for `work_ms` in its middle."""
    return (
        span("root", service="a", kind="server", ms=30, host="h1"),
        span("call", parent="root", service="a", kind="client", ms=20, host="h1"),
        span("work", parent="call", service="b", kind="server", start_ms=10 - work_ms / 2, ms=work_ms, host="h2"),
    )


def test_legs_that_two_clocks_measured_are_noted() -> None:
    """One call tells nothing but that no leg is negative: its request leg may have been any part of the wire time."""
    assert drawn(*two_hosts(10)).warnings == (
        "a->b: two clocks; its request leg took between 0 ms and 10.0 ms, its response leg the rest of 10.0 ms.",
    )


def test_legs_that_the_calls_pin_down_need_no_note() -> None:
    """A callee that worked nearly as long as its caller waited leaves no room for doubt; one host has one clock."""
    assert drawn(*two_hosts(19.99)).warnings == ()
    assert drawn(span("root", service="a", kind="server"), span("call", parent="root", kind="client")).warnings == ()


def test_a_trace_that_is_not_there_is_a_key_error() -> None:
    """The caller said which spans it has."""
    spans = table(span("root"))
    with pytest.raises(KeyError):
        draw_trace(trace_id("other"), spans, resolve_callees(observe(spans)))


@pytest.mark.filterwarnings("error")
def test_a_trace_deeper_than_the_stack_is_drawn() -> None:
    """Three thousand spans, each the child of the one before."""
    depth = 3_000
    spans = [span(f"s{i}", parent=f"s{i - 1}" if i else "", start_ms=0, ms=depth - i) for i in range(depth)]
    exemplar = drawn(*spans)
    assert max(row.depth for row in exemplar.rows) == depth - 1
    assert len(trace_text.render(exemplar).split("\n")) > depth
    assert "waterfall" in html.render_trace(exemplar)


@settings(max_examples=40)
@given(traces())
def test_rows_add_up_to_the_root_whatever_the_trace_looks_like(spans: list[Span]) -> None:
    """Orphans, circles, clocks that disagree: the critical path has no hole, and every form can show it."""
    exemplar = drawn(*spans)
    path = critical_path_of(exemplar)
    assert sum(row.budget_ns for row in exemplar.rows) == exemplar.root_ns
    assert all(before["end_ns"] == after["start_ns"] for before, after in pairwise(path))
    if exemplar.root_ns:
        assert (path[0]["start_ns"], path[-1]["end_ns"]) == (exemplar.start_ns, exemplar.root_end_ns)
    assert {row.span_id for row in exemplar.rows} == {s.row()["span_id"] for s in spans}
    trace_text.render(exemplar)
    trace_json.render(exemplar)
    html.render_trace(exemplar)
