"""Crossings of one trace: who called whom, and how long the way took. Milliseconds, computed by hand."""

from __future__ import annotations

import pytest

from analysis.hops_names import hop_names
from analysis.observations import FAILURES, HOP_KINDS
from analysis.observe import observe
from tests.analysis.builders import Span, span, span_id, table

MS = 1_000_000


def hops(*spans: Span) -> dict[str, dict[str, object]]:
    """Rows by hop name and, from the second of one name on, its number."""
    observed = observe(table(*spans)).hops
    found: dict[str, dict[str, object]] = {}
    for name, row in zip(hop_names(observed).to_pylist(), observed.to_pylist(), strict=True):
        number = sum(key.split("#")[0] == name for key in found)
        found[f"{name}#{number + 1}" if number else name] = row
    return found


def ms(row: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(None if row[f"{name}_ns"] is None else row[f"{name}_ns"] / MS for name in names)  # type: ignore[operator]


def handler(ms: float = 100, label: str = "G", service: str = "gateway") -> Span:
    return span(label, kind="server", service=service, ms=ms)


# --- calls ---


def test_a_call_has_a_request_leg_and_a_response_leg() -> None:
    found = hops(
        span("C", kind="client", service="gateway", start_ms=10, ms=50, payload_bytes=700, address="h:1"),
        span("S", parent="C", kind="server", service="payment", start_ms=15, ms=25, instance="payment-2"),
    )["gateway->payment"]
    assert ms(found, "request_leg", "response_leg", "wire", "callee", "duration", "queue") == (5, 20, 25, 25, 50, None)
    assert (found["payload_bytes"], found["address"], found["callee_instance"]) == (700, "h:1", "payment-2")
    assert (found["span_id"], found["callee_span_id"]) == (span_id("C"), span_id("S"))


def test_a_service_that_calls_itself_makes_a_call() -> None:
    assert list(hops(span("C", kind="client", ms=9), span("S", parent="C", kind="server", ms=5))) == ["a->a"]


def test_a_peer_is_named_by_its_span_and_costs_the_whole_span() -> None:
    found = hops(span("q", kind="client", service="inventory", ms=8, peer="postgresql"))["inventory->postgresql"]
    assert (HOP_KINDS[found["kind"]], ms(found, "wire")) == ("peer", (8,))  # type: ignore[call-overload]


def test_spans_of_the_transport_between_client_and_server_belong_to_the_call() -> None:
    """connect (3 ms) under the CLIENT span and the SERVER span under a transport span: one call of 20 ms wire time."""
    found = observe(
        table(
            span("C", kind="client", ms=50, service="a"),
            span("connect", parent="C", kind="internal", ms=3, service="a"),
            span("send", parent="C", kind="internal", start_ms=3, ms=47, service="a"),
            span("S", parent="send", kind="server", start_ms=10, ms=30, service="b"),
        )
    )
    assert hop_names(found.hops).to_pylist() == ["a->b"]
    assert found.hops["path_ns"].to_pylist() == [20 * MS]
    assert found.traces["wire_ns"].to_pylist() == [20 * MS]


def test_a_client_span_around_client_spans_is_no_hop_of_its_own() -> None:
    """A library's outer CLIENT span (an SDK call) around the HTTP request that it makes."""
    assert list(
        hops(
            span("sdk", kind="client", service="a", ms=50),
            span("POST", parent="sdk", kind="client", service="a", start_ms=5, ms=40),
            span("S", parent="POST", kind="server", service="b", start_ms=10, ms=20),
        )
    ) == ["a->b"]


def test_one_client_span_that_reached_two_servers_counts_each_leg_once() -> None:
    """A transport's own retry: 5 ms there, 10 in S1, 15 between, 20 in S2, 10 back; both rows together are 30 ms."""
    found = hops(
        span("C", kind="client", service="a", ms=60),
        span("S1", parent="C", kind="server", service="b", start_ms=5, ms=10),
        span("S2", parent="C", kind="server", service="b", start_ms=30, ms=20),
    )
    assert [ms(row, "request_leg", "response_leg") for row in found.values()] == [(5, 0), (15, 10)]


def test_a_stream_that_outlives_its_client_span_has_no_response_leg() -> None:
    """The client span ends with the headers, the server goes on for 400 ms."""
    found = hops(
        span("C", kind="client", service="a", ms=50),
        span("S", parent="C", kind="server", service="b", start_ms=10, ms=400),
    )["a->b"]
    assert ms(found, "request_leg", "response_leg", "wire") == (10, None, 10)
    assert FAILURES[found["failure"]] == "none"  # type: ignore[call-overload]


# --- kinds that the data lacks ---


def test_without_kinds_a_change_of_service_is_a_call() -> None:
    """The callee's time is known, the way is not: the caller's span may have done other work."""
    found = hops(span("A", service="a", ms=50), span("B", parent="A", service="b", start_ms=10, ms=20))["a->b"]
    assert ms(found, "duration", "callee", "wire", "path") == (20, 20, None, 0)
    assert (found["span_id"], found["callee_span_id"]) == (0, span_id("B"))


def test_without_kinds_a_span_that_only_calls_is_a_client() -> None:
    """entry -> request -> other service's entry: `request` has one child, in another service."""
    found = hops(
        span("entry", service="a", ms=50),
        span("request", parent="entry", service="a", start_ms=5, ms=30),
        span("other", parent="request", service="b", start_ms=10, ms=20),
    )["a->b"]
    assert (found["span_id"], ms(found, "wire")) == (span_id("request"), (10,))


def test_a_callee_whose_entry_span_is_missing_is_still_the_callee() -> None:
    found = hops(
        span("C", kind="client", service="a", ms=50),
        span("work", parent="C", kind="internal", service="b", start_ms=10, ms=20),
    )
    assert list(found) == ["a->b"]


def test_two_sides_under_one_id_are_caller_and_callee() -> None:
    """Zipkin's shared span ids: CLIENT and SERVER have the same id, children belong to the server."""
    spans = [
        span("X", kind="client", service="a", ms=50),
        span("X", kind="server", service="b", start_ms=10, ms=30),
        span("q", parent="X", kind="client", service="b", start_ms=15, ms=5, peer="redis"),
    ]
    found = hops(*spans)
    assert list(found) == ["a->b", "b->redis"]
    assert ms(found["a->b"], "request_leg", "response_leg") == (10, 10)
    assert observe(table(*spans)).defects.num_rows == 0


# --- messages ---


def test_queue_time_is_from_the_producers_end_to_the_consumers_start() -> None:
    found = hops(
        span("P", kind="producer", service="a", ms=2, destination="orders"),
        span("K", parent="P", kind="consumer", service="b", start_ms=30, ms=5),
    )["a->b"]
    assert (HOP_KINDS[found["kind"]], found["destination"]) == ("message", "orders")  # type: ignore[call-overload]
    assert ms(found, "queue", "duration", "callee", "wire") == (28, 2, 5, None)


def test_create_and_publish_are_one_message_sent_by_the_publish() -> None:
    """FastStream: `process` is the child of `create`, but the message left with `publish`, which ended at 6 ms."""
    found = hops(
        span("create", kind="producer", service="a", start_ms=1, ms=0.1),
        span("publish", parent="create", kind="producer", service="a", start_ms=2, ms=4),
        span("process", parent="create", kind="consumer", service="b", start_ms=20, ms=5),
    )
    assert list(found) == ["a->b"]
    assert (found["a->b"]["caller_operation"], ms(found["a->b"], "queue")) == ("publish", (14,))


def test_a_consumer_may_start_while_the_send_waits_for_its_acknowledgement() -> None:
    found = hops(
        span("P", kind="producer", service="a", ms=10),
        span("K", parent="P", kind="consumer", service="b", start_ms=4, ms=30),
    )["a->b"]
    assert ms(found, "queue") == (0,)


def test_a_message_before_its_send_shows_two_clocks() -> None:
    """The consumer started 7 ms before the send began: raw, and noted as skew."""
    observed = observe(
        table(
            span("P", kind="producer", service="a", start_ms=20, ms=2),
            span("K", parent="P", kind="consumer", service="b", start_ms=13, ms=30),
        )
    )
    assert observed.hops["queue_ns"].to_pylist() == [-7 * MS]
    assert observed.defects["kind"].to_pylist() == [4]


def test_a_link_makes_a_message_as_a_parent_does() -> None:
    found = hops(
        span("P", kind="producer", service="a", ms=2),
        span("K", kind="consumer", service="b", start_ms=30, ms=5, links=["P"]),
    )["a->b"]
    assert ms(found, "queue") == (28,)


def test_a_batch_consumer_has_a_hop_for_each_message_that_it_took() -> None:
    """Fan-in: three messages sent at 2, 12 and 22 ms, taken together at 30."""
    sends = [span(f"P{i}", parent="G", kind="producer", service="gateway", start_ms=10 * i, ms=2) for i in range(3)]
    found = hops(
        handler(), *sends, span("K", kind="consumer", service="b", start_ms=30, ms=5, links=["P0", "P1", "P2"])
    )
    assert [ms(row, "queue") for row in found.values()] == [(28,), (18,), (8,)]
    assert {FAILURES[row["failure"]] for row in found.values()} == {"none"}  # type: ignore[call-overload]


def test_fan_out_has_a_hop_for_each_subscriber() -> None:
    found = hops(
        span("P", kind="producer", service="a", ms=2),
        span("K1", parent="P", kind="consumer", service="b", start_ms=10, ms=5),
        span("K2", parent="P", kind="consumer", service="c", start_ms=20, ms=5),
    )
    assert {name: ms(row, "queue") for name, row in found.items()} == {"a->b": (8,), "a->c": (18,)}


def test_receive_and_process_of_one_service_are_one_delivery() -> None:
    found = hops(
        span("P", kind="producer", service="a", ms=2),
        span("receive", parent="P", kind="consumer", service="b", start_ms=10, ms=20),
        span("process", parent="receive", kind="consumer", service="b", start_ms=12, ms=5),
    )
    assert list(found) == ["a->b"]


def test_a_publish_that_links_the_creates_is_the_send_of_each() -> None:
    """The conventions' batch publish: per message a `create`, one `publish` that links to them."""
    found = hops(
        handler(),
        span("create1", parent="G", kind="producer", service="gateway", start_ms=1),
        span("create2", parent="G", kind="producer", service="gateway", start_ms=2),
        span("publish", parent="G", kind="producer", service="gateway", start_ms=5, ms=5, links=["create1", "create2"]),
        span("K1", parent="create1", kind="consumer", service="b", start_ms=20, ms=5),
        span("K2", parent="create2", kind="consumer", service="b", start_ms=30, ms=5),
    )
    assert [ms(row, "queue") for row in found.values()] == [(10,), (20,)]


@pytest.mark.parametrize(
    ("first_failed", "ids", "expected"),
    [
        (False, None, [("none", 0), ("duplicate", 0)]),
        (True, None, [("consumer_error", 0), ("none", 1)]),
        (False, ("m1", "m2"), [("none", 0), ("none", 0)]),
        (False, ("m1", "m1"), [("none", 0), ("duplicate", 0)]),
    ],
    ids=["duplicate", "delivered again after an error", "two messages of one send", "same message id"],
)
def test_the_same_consumer_twice(
    first_failed: bool, ids: tuple[str, str] | None, expected: list[tuple[str, int]]
) -> None:
    marks = [{"messaging.message.id": one} if ids else {} for one in ids or ("", "")]
    found = hops(
        span("P", kind="producer", service="a", ms=2),
        span("K1", name="process", parent="P", kind="consumer", service="b", start_ms=10, error=first_failed,
             attributes=marks[0]),
        span("K2", name="process", parent="P", kind="consumer", service="b", start_ms=20, attributes=marks[1]),
    )  # fmt: skip
    assert [(FAILURES[row["failure"]], row["attempt"]) for row in found.values()] == expected  # type: ignore[call-overload]


# --- retries ---


def attempt(
    label: str, start_ms: float, *, error: str | None = None, url: str = "/charge", address: str = "h:1"
) -> Span:
    return span(label, name="POST", parent="G", kind="client", service="gateway", start_ms=start_ms, ms=10,
                error_type=error, address=address, attributes={"url.path": url})  # fmt: skip


def test_attempts_are_counted_and_the_time_that_failed_ones_cost() -> None:
    """Two failures, begun at 0 and 30, and a success begun at 70: 30 and 40 ms were lost."""
    found = hops(
        handler(), attempt("1", 0, error="ReadTimeout"), attempt("2", 30, error="ReadTimeout"), attempt("3", 70)
    )
    assert [(row["attempt"], row["wasted_ns"]) for row in found.values()] == [(0, 30 * MS), (1, 40 * MS), (2, 0)]


@pytest.mark.parametrize(
    "later",
    [
        attempt("2", 30, url="/refund"),
        attempt("2", 30, address="h:2"),
        attempt("2", 5),
    ],
    ids=["another request", "another target", "begun before the failure"],
)
def test_what_is_no_retry(later: Span) -> None:
    found = hops(handler(), attempt("1", 0, error="ReadTimeout"), later)
    assert [row["attempt"] for row in found.values()] == [0, 0]


def test_asking_again_after_a_refusal_is_no_retry() -> None:
    """404 is an answer: the next call is the next question."""
    missing = span("1", name="POST", parent="G", kind="client", service="gateway", ms=10, error_type="404",
                   http_status=404, address="h:1")  # fmt: skip
    found = hops(handler(), missing, attempt("2", 30))
    assert [row["attempt"] for row in found.values()] == [0, 0]
