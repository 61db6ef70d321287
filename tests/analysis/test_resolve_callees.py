"""Names for callees that sent no spans."""

from __future__ import annotations

from analysis.observations import FAILURES, HOP_KINDS
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from tests.analysis.builders import Span, span, table


def call(trace: str, *, arrived: bool, address: str = "h:1", peer: str | None = None) -> list[Span]:
    caller = span(f"c{trace}", trace=trace, service="gateway", kind="client", ms=50, address=address, peer=peer,
                  name="POST", error_type=None if arrived else "ConnectError")  # fmt: skip
    callee = span(f"s{trace}", trace=trace, parent=f"c{trace}", service="payment", kind="server", start_ms=5, ms=20)
    return [caller, callee] if arrived else [caller]


def named(*spans: Span, book: dict[str, str] | None = None) -> list[str]:
    hops = resolve_callees(observe(table(*spans)), book).hops.to_pylist()
    return sorted(f"{row['caller']}->{row['callee']} {FAILURES[row['failure']]}" for row in hops)


def test_an_address_has_the_name_of_the_service_that_other_calls_reached_there() -> None:
    spans = [*call("A", arrived=True), *call("B", arrived=False)]
    assert named(*spans) == ["gateway->payment none", "gateway->payment refused"]
    kinds = resolve_callees(observe(table(*spans))).hops["kind"].to_pylist()
    assert [HOP_KINDS[kind] for kind in kinds] == ["call", "call"]


def test_an_address_that_leads_to_many_services_names_none_of_them() -> None:
    """Behind one proxy address stand two services: the address itself is all that is known."""
    other = [
        span("cC", trace="C", service="gateway", kind="client", ms=50, address="h:1", name="POST"),
        span("sC", trace="C", parent="cC", service="stock", kind="server", start_ms=5, ms=20),
    ]
    assert "gateway->h:1 refused" in named(*call("A", arrived=True), *other, *call("B", arrived=False))


def test_the_peers_own_word_comes_before_the_address_book() -> None:
    book = {"h:1": "postgres-main"}
    assert named(*call("A", arrived=False, peer="postgresql"), book=book) == ["gateway->postgresql refused"]
    assert named(*call("A", arrived=False), book=book) == ["gateway->postgres-main refused"]
    assert named(*call("A", arrived=False), book={}) == ["gateway->h:1 refused"]


def message(trace: str, *consumers: str) -> list[Span]:
    send = span(f"p{trace}", trace=trace, service="gateway", kind="producer", ms=2, destination="orders", peer="nats")
    reads = [
        span(f"{name}{trace}", trace=trace, parent=f"p{trace}", service=name, kind="consumer", start_ms=5, ms=10)
        for name in consumers
    ]
    return [send, *reads]


def test_a_lost_message_is_lost_to_every_subscriber_of_its_destination() -> None:
    """One trace shows both subscribers, so the message of the other that nobody got counts for both."""
    assert named(*message("A", "email", "fulfillment"), *message("B")) == [
        "gateway->email lost_message",
        "gateway->email none",
        "gateway->fulfillment lost_message",
        "gateway->fulfillment none",
    ]


def test_a_message_that_one_of_two_subscribers_got_is_lost_to_the_other() -> None:
    found = named(*message("A", "email", "fulfillment"), *message("B", "fulfillment"))
    assert found.count("gateway->email lost_message") == 1
    assert found.count("gateway->fulfillment none") == 2


def test_a_message_without_known_subscribers_is_named_by_its_broker() -> None:
    assert named(*message("A")) == ["gateway->nats lost_message"]


def test_path_time_is_not_counted_twice_when_rows_are_added() -> None:
    observed = observe(table(*message("A", "email", "fulfillment"), *message("B")))
    resolved = resolve_callees(observed)
    assert sum(resolved.hops["path_ns"].to_pylist()) == sum(observed.hops["path_ns"].to_pylist())


def test_a_consumer_in_a_trace_of_its_own_is_joined_by_its_link() -> None:
    """Not lost: the consumer began another trace, with a link to the `create` span. 18 ms in the queue."""
    spans = [
        span("create", trace="A", service="gateway", kind="producer", destination="orders"),
        span("send", trace="A", parent="create", service="gateway", kind="producer", start_ms=1, ms=2),
        span("K", trace="B", service="email", kind="consumer", start_ms=21, ms=9, links=[("A", "create")]),
    ]
    (row,) = resolve_callees(observe(table(*spans))).hops.to_pylist()
    assert (row["caller"], row["callee"], FAILURES[row["failure"]]) == ("gateway", "email", "none")
    assert (row["queue_ns"] / 1e6, row["callee_ns"] / 1e6) == (18, 9)


def test_a_batch_of_messages_from_many_traces_is_a_hop_from_each() -> None:
    """Fan-in over traces, one of whose senders is not in the data: two hops, and nothing invented for the third."""
    sends = [
        span(f"P{name}", trace=name, service="gateway", kind="producer", start_ms=start, ms=2)
        for name, start in (("A", 0), ("B", 10))
    ]
    links = [("A", "PA"), ("B", "PB"), ("C", "PC")]
    taken = span("K", trace="K", service="email", kind="consumer", start_ms=30, ms=5, error=True, links=links)
    hops = resolve_callees(observe(table(*sends, taken))).hops.to_pylist()
    assert sorted((row["queue_ns"] / 1e6, FAILURES[row["failure"]]) for row in hops) == [
        (18, "consumer_error"),
        (28, "consumer_error"),
    ]
