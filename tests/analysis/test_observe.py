"""Budgets, own time and defects of one trace. Milliseconds, computed by hand."""

from __future__ import annotations

from analysis.observations import CATEGORIES, DEFECTS, POSITIONS
from analysis.observe import observe
from tests.analysis.builders import Span, span, table

MS = 1_000_000


def budget(*spans: Span, completion: bool = False) -> dict[str, float]:
    """Milliseconds per category that has any, and `total`."""
    (trace,) = observe(table(*spans)).traces.to_pylist()
    prefix, total = ("completion_", "completion_ns") if completion else ("", "duration_ns")
    found = {name: trace[f"{prefix}{name}_ns"] / MS for name in CATEGORIES if trace[f"{prefix}{name}_ns"]}
    return {**found, "total": trace[total] / MS}


def defects(*spans: Span) -> list[tuple[str, str]]:
    rows = observe(table(*spans)).defects.to_pylist()
    return sorted((DEFECTS[row["kind"]], row["operation"]) for row in rows)


def own(*spans: Span) -> dict[tuple[str, str, str | None, str | None], float]:
    rows = observe(table(*spans)).own.to_pylist()
    return {
        (row["operation"], POSITIONS[row["position"]], row["before"], row["after"]): row["own_ns"] / MS for row in rows
    }


CHECKOUT = [
    span("load", kind="client", service="locust", ms=100),
    span("checkout", parent="load", kind="server", service="gateway", start_ms=4, ms=90),
    span("charge", parent="checkout", kind="client", service="gateway", start_ms=14, ms=40),
    span("pay", parent="charge", kind="server", service="payment", start_ms=17, ms=30),
    span("select", parent="pay", kind="client", service="payment", start_ms=20, ms=12, peer="postgresql"),
    span("create", parent="checkout", kind="producer", service="gateway", start_ms=60, ms=0.5),
    span("publish", parent="create", kind="producer", service="gateway", start_ms=61, ms=5),
    span("fulfil", parent="create", kind="consumer", service="fulfillment", start_ms=90, ms=200),
    span("insert", parent="fulfil", kind="client", service="fulfillment", start_ms=110, ms=150, peer="postgresql"),
]
"""load 0-100 > checkout 4-94 > charge 14-54 > pay 17-47 > select 20-32; create 60-60.5; publish 61-66; fulfil 90-290"""


def test_a_checkouts_budget() -> None:
    """wire load 4+6, charge 3+7; peer select 12, publish 5; self create 0.5; gap checkout 10+6+0.5+28, pay 3+15."""
    assert budget(*CHECKOUT) == {"self": 0.5, "wire": 20, "peer": 17, "gap": 62.5, "total": 100}


def test_its_completion_goes_through_the_queue_to_the_last_consumer() -> None:
    """As above up to the publish, less checkout's last 28 and load's last 6; queue 24; fulfil 20+30; insert 150."""
    assert budget(*CHECKOUT, completion=True) == {
        "self": 0.5, "wire": 14, "peer": 167, "queue": 24, "gap": 84.5, "total": 290,
    }  # fmt: skip


def test_completion_is_the_roots_end_when_consumers_are_done_by_then() -> None:
    quick = [*CHECKOUT[:-2], span("mail", parent="create", kind="consumer", service="email", start_ms=70, ms=5)]
    assert budget(*quick, completion=True) == budget(*quick)


def test_completion_goes_through_a_chain_of_messages() -> None:
    """a 0-10 sends at 5-6; b 20-30 sends at 25-26; c 50-60. queue 14 + 24."""
    chain = [
        span("A", kind="server", service="a", ms=10),
        span("P1", parent="A", kind="producer", service="a", start_ms=5),
        span("B", parent="P1", kind="consumer", service="b", start_ms=20, ms=10),
        span("P2", parent="B", kind="producer", service="b", start_ms=25),
        span("C", kind="consumer", service="c", start_ms=50, ms=10, links=["P2"]),
    ]
    assert budget(*chain, completion=True) == {"self": 10, "peer": 2, "queue": 38, "gap": 10, "total": 60}


def test_a_consumer_that_is_waited_for_is_on_the_path() -> None:
    """Request and reply over a broker: the PRODUCER span covers the consumer; its own 5 + 15 ms are the queue's."""
    rpc = [
        span("P", kind="producer", service="a", ms=50),
        span("K", parent="P", kind="consumer", service="b", start_ms=5, ms=30),
    ]
    assert budget(*rpc) == {"self": 30, "queue": 20, "total": 50}


def test_own_time_under_a_child_off_the_path_is_overlap_not_gap() -> None:
    """B 30-75 overlaps D 70-100, so it is not on the path; the parent's 10-70 is covered by B from 30 on."""
    assert budget(
        span("P", ms=100),
        span("A", parent="P", ms=10),
        span("B", parent="P", start_ms=30, ms=45),
        span("D", parent="P", start_ms=70, ms=30),
    ) == {"self": 40, "gap": 20, "overlap": 40, "total": 100}


def test_own_time_is_told_apart_by_where_it_sits() -> None:
    """H 0-100: 10 before B, 20 between B (10-40) and C (60-90), 10 after C."""
    assert own(
        span("H", kind="server", ms=100),
        span("B", parent="H", kind="internal", start_ms=10, ms=30),
        span("C", parent="H", kind="internal", start_ms=60, ms=30),
    ) == {
        ("H", "first", None, "B"): 10,
        ("H", "between", "B", "C"): 20,
        ("H", "last", "C", None): 10,
        ("B", "leaf", None, None): 30,
        ("C", "leaf", None, None): 30,
    }


def test_own_time_of_a_span_whose_children_all_come_later() -> None:
    found = own(span("H", ms=10), span("task", parent="H", start_ms=50, ms=5))
    assert found[("H", "only", None, None)] == 10


def test_own_time_of_like_spans_is_one_row() -> None:
    """Three runs of one step in a loop: 3 x 5 ms in one row, and the 10 ms between each two."""
    steps = [span(f"s{i}", name="step", parent="H", kind="internal", start_ms=15 * i, ms=5) for i in range(3)]
    rows = observe(table(span("H", kind="server", ms=35), *steps)).own.to_pylist()
    merged = {(row["operation"], POSITIONS[row["position"]]): (row["spans"], row["own_ns"] / MS) for row in rows}
    assert merged[("step", "leaf")] == (3, 15)
    assert merged[("H", "between")] == (2, 20)


def test_a_child_that_outlives_its_parent_is_cut_there() -> None:
    """The child's last 40 ms are nobody's wait."""
    assert budget(span("A", ms=60), span("B", parent="A", start_ms=20, ms=80)) == {"self": 40, "gap": 20, "total": 60}


def test_without_its_root_a_trace_is_read_from_the_earliest_orphan() -> None:
    spans = [span("B", parent="gone", ms=50), span("C", parent="B", start_ms=10, ms=10)]
    (trace,) = observe(table(*spans)).traces.to_pylist()
    assert (trace["operation"], trace["duration_ns"] / MS, trace["complete"]) == ("B", 50, False)
    assert defects(*spans) == [("orphan", "B")]


def test_of_several_roots_the_earliest_is_the_traces() -> None:
    spans = [span("A", ms=50), span("B", start_ms=10, ms=500), span("C", parent="B", start_ms=12)]
    (trace,) = observe(table(*spans)).traces.to_pylist()
    assert (trace["operation"], trace["duration_ns"] / MS, trace["complete"]) == ("A", 50, False)
    assert defects(*spans) == [("several_roots", "B")]


def test_a_true_root_comes_before_an_earlier_orphan() -> None:
    """The orphan's clock may be the one that is wrong."""
    spans = [span("A", start_ms=10, ms=50), span("B", parent="gone", start_ms=0, ms=5)]
    (trace,) = observe(table(*spans)).traces.to_pylist()
    assert trace["operation"] == "A"


def test_an_entry_span_that_is_a_root_may_have_lost_its_context() -> None:
    assert defects(span("S", kind="server")) == [("broken_context", "S")]
    assert defects(span("K", kind="consumer", links=[("other", "P")])) == []
    assert defects(span("C", kind="client")) == []


def test_a_cycle_is_cut_at_its_earliest_span() -> None:
    spans = [
        span("A", parent="C", start_ms=0, ms=90),
        span("B", parent="A", start_ms=10, ms=50),
        span("C", parent="B", start_ms=20, ms=20),
        span("D", parent="C", start_ms=25, ms=5),
    ]
    assert defects(*spans) == [("cycle", "A")]
    assert budget(*spans) == {"self": 5, "gap": 85, "total": 90}


def test_a_span_that_is_its_own_parent_becomes_a_root() -> None:
    assert defects(span("A", parent="A", ms=10)) == [("cycle", "A")]
    assert budget(span("A", parent="A", ms=10)) == {"self": 10, "total": 10}


def test_a_span_that_ends_before_it_starts_takes_no_time() -> None:
    spans = [span("A", ms=10), span("B", parent="A", start_ms=5, ms=-3)]
    assert defects(*spans) == [("negative_duration", "B")]
    assert budget(*spans) == {"gap": 10, "total": 10}


def test_another_span_under_a_taken_id_is_left_out_and_told() -> None:
    spans = [span("A", ms=10), span("B", parent="A", ms=5), span("B", parent="A", start_ms=6, ms=2, name="other")]
    assert defects(*spans) == [("duplicate_id", "other")]
    assert observe(table(*spans)).traces["spans"].to_pylist() == [2]


def test_a_callee_that_starts_before_its_caller_shows_two_clocks() -> None:
    spans = [
        span("C", kind="client", service="a", start_ms=10, ms=50),
        span("S", parent="C", kind="server", service="b", start_ms=3, ms=20),
    ]
    assert defects(*spans) == [("clock_skew", "S")]


def test_spans_without_a_service_or_a_name_are_spans() -> None:
    spans = [span("A", service=None, name=None, ms=10), span("B", parent="A", service="b", start_ms=2, ms=5)]
    assert budget(*spans) == {"self": 5, "gap": 5, "total": 10}


def test_a_root_fails_by_its_status_or_its_answer() -> None:
    failed = [
        observe(table(root)).traces["failed"].to_pylist()[0]
        for root in (span("A", error=True), span("A", http_status=503), span("A", http_status=404), span("A"))
    ]
    assert failed == [True, True, False, False]
