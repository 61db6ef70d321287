"""One trace as records for drawing."""

from __future__ import annotations

import pytest

from analysis.trace_view import trace_view
from tests.analysis.builders import EPOCH_NS, span, span_id, table

MS = 1_000_000

TRACE = table(
    span("K", parent="P", kind="consumer", service="c", start_ms=90, ms=30),
    span("S", parent="C", kind="server", service="b", start_ms=20, ms=20, error=True),
    span("P", parent="R", kind="producer", service="a", start_ms=60, ms=5),
    span("lost", parent="gone", kind="internal", service="b", start_ms=1, ms=2),
    span("R", kind="server", service="a", ms=80),
    span("C", parent="R", kind="client", service="a", start_ms=10, ms=40, error_type="ReadTimeout"),
)


def test_spans_stand_in_tree_order_with_their_depth() -> None:
    view = trace_view(TRACE)
    assert [(one.name, one.depth) for one in view.spans] == [
        ("R", 0), ("C", 1), ("S", 2), ("P", 1), ("K", 2), ("lost", 0),
    ]  # fmt: skip
    assert [one.row for one in view.spans] == [4, 5, 1, 2, 0, 3]
    assert (view.root, view.start_ns, view.duration_ns, view.completion_ns) == (0, EPOCH_NS, 80 * MS, 120 * MS)


def test_each_span_carries_its_stretches_of_the_path_in_time_order() -> None:
    view = trace_view(TRACE)
    milliseconds = {
        one.name: [((s.start_ns - EPOCH_NS) / MS, (s.end_ns - EPOCH_NS) / MS, s.category, s.hop) for s in one.path]
        for one in view.spans
    }
    assert milliseconds == {
        "R": [(0, 10, "gap", None), (50, 60, "gap", None), (65, 80, "gap", None)],
        "C": [(10, 20, "wire", "a->b"), (40, 50, "wire", "a->b")],
        "S": [(20, 40, "self", None)],
        "P": [(60, 65, "peer", "a->c")],
        "K": [],
        "lost": [],
    }


def test_the_consumer_carries_its_queue_on_the_completion_path() -> None:
    consumer = trace_view(TRACE).spans[4]
    assert [(s.category, (s.end_ns - s.start_ns) / MS) for s in consumer.completion_path] == [
        ("queue", 25),
        ("self", 30),
    ]
    assert (consumer.asynchronous, consumer.on_path, consumer.on_completion_path) == (True, False, True)


def test_failures_and_defects_stand_with_their_spans() -> None:
    view = trace_view(TRACE)
    (hop,) = view.spans[1].hops
    assert (hop.name, hop.kind, hop.failure, hop.symptom) == ("a->b", "call", "timeout", "timeout")
    assert (hop.request_leg_ns, hop.response_leg_ns) == (10 * MS, 10 * MS)
    assert hop.callee_span_id == span_id("S")
    assert view.spans[5].orphan
    assert view.spans[5].warnings == ("orphan",)
    assert view.warnings == ("2 separate trees: spans or parents are missing",)


def test_a_linked_consumer_stands_under_the_send_that_it_links_to() -> None:
    view = trace_view(
        table(
            span("P", kind="producer", ms=5),
            span("K", kind="consumer", service="b", start_ms=20, ms=5, links=["P"]),
        )
    )
    assert [(one.name, one.depth) for one in view.spans] == [("P", 0), ("K", 1)]
    assert view.warnings == ()


def test_spans_of_two_traces_are_refused() -> None:
    with pytest.raises(ValueError, match="one trace, got 2"):
        trace_view(table(span("A", trace="1"), span("B", trace="2")))
