"""Offset intervals of two clocks, from the calls between them."""

from __future__ import annotations

from analysis.clock_skew import ClockOffset, clock_offsets, request_leg_bounds
from analysis.observe import observe
from tests.analysis.builders import Span, span, table

MS = 1_000_000


def call(trace: str, *, request_ms: float, response_ms: float, ahead_ms: float, hosts: str = "ab") -> list[Span]:
    """A call from host a to host b, whose clock is `ahead_ms` ahead, with these true legs around 10 ms of work."""
    return [
        span(f"c{trace}", trace=trace, kind="client", service="x", host=hosts[0], ms=request_ms + 10 + response_ms),
        span(f"s{trace}", trace=trace, parent=f"c{trace}", kind="server", service="y", host=hosts[1],
             start_ms=request_ms + ahead_ms, ms=10),
    ]  # fmt: skip


def test_each_call_bounds_the_offset_and_all_calls_narrow_it() -> None:
    """True offset 100 ms: legs of 5 and 20 give 80..105, legs of 30 and 2 give 98..130; together 98..105."""
    spans = [
        *call("A", request_ms=5, response_ms=20, ahead_ms=100),
        *call("B", request_ms=30, response_ms=2, ahead_ms=100),
    ]
    assert clock_offsets(observe(table(*spans))) == (ClockOffset("a", "b", 98 * MS, 105 * MS, 2, consistent=True),)


def test_calls_in_the_other_direction_bound_the_same_offset() -> None:
    spans = [
        *call("A", request_ms=5, response_ms=20, ahead_ms=100),
        *call("B", request_ms=4, response_ms=1, ahead_ms=-100, hosts="ba"),
    ]
    # b calls a, whose clock is 100 ms behind: request leg raw -96, response leg raw 101, so 96 <= offset <= 101.
    assert clock_offsets(observe(table(*spans))) == (ClockOffset("a", "b", 96 * MS, 101 * MS, 2, consistent=True),)


def test_a_clock_that_was_set_in_between_is_told() -> None:
    spans = [
        *call("A", request_ms=1, response_ms=1, ahead_ms=0),
        *call("B", request_ms=1, response_ms=1, ahead_ms=500),
    ]
    (offset,) = clock_offsets(observe(table(*spans)))
    assert (offset.low_ns, offset.high_ns, offset.consistent) == (1 * MS, 499 * MS, False)


def test_one_host_needs_no_offset_and_its_legs_are_values() -> None:
    observed = observe(table(*call("A", request_ms=5, response_ms=20, ahead_ms=0, hosts="aa")))
    offsets = clock_offsets(observed)
    bounds = request_leg_bounds(observed, offsets)
    assert offsets == ()
    assert (bounds.low_ns[0], bounds.high_ns[0], bounds.known[0]) == (5 * MS, 5 * MS, True)


def test_a_leg_between_two_hosts_is_an_interval() -> None:
    """Call B's raw request leg is 130; with an offset of 98..105 the true one is 25..32."""
    observed = observe(
        table(
            *call("A", request_ms=5, response_ms=20, ahead_ms=100),
            *call("B", request_ms=30, response_ms=2, ahead_ms=100),
        )
    )
    bounds = request_leg_bounds(observed, clock_offsets(observed))
    assert sorted(zip(bounds.low_ns.tolist(), bounds.high_ns.tolist(), strict=True)) == [
        (0, 7 * MS),
        (25 * MS, 32 * MS),
    ]


def test_a_message_bounds_from_one_side() -> None:
    """The consumer cannot start before the send did: offset at most 40 ms, and no lower bound."""
    spans = [
        span("p", kind="producer", service="x", host="a", ms=5),
        span("k", parent="p", kind="consumer", service="y", host="b", start_ms=40, ms=5),
    ]
    assert clock_offsets(observe(table(*spans))) == (ClockOffset("a", "b", None, 40 * MS, 1, consistent=True),)


def test_wire_time_does_not_depend_on_clocks() -> None:
    """The raw legs are 105 and -80 ms; their sum is the 25 ms that the call spent outside its callee."""
    (row,) = observe(table(*call("A", request_ms=5, response_ms=20, ahead_ms=100))).hops.to_pylist()
    assert (row["request_leg_ns"], row["response_leg_ns"], row["wire_ns"]) == (105 * MS, -80 * MS, 25 * MS)
