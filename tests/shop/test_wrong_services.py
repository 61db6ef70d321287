"""Services that misbehave as told, seen from outside: what customers get, and what spans show."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.shop.conftest import RunningShop, eventually
from tests.shop.exported import CLIENT, CONSUMER, ERROR, PRODUCER, SERVER, ExportedSpan

pytestmark = pytest.mark.stack


@pytest.fixture
def traced(shop: RunningShop) -> Iterator[tuple[str, str]]:
    """A trace id and its `traceparent`; services behave again after the test."""
    trace_id = secrets.token_hex(16)
    try:
        yield trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-01"
    finally:
        shop.behave()


def spans_of(shop: RunningShop, trace_id: str, service: str, kind: int) -> list[ExportedSpan]:
    return [span for span in shop.spans(trace_id) if (span.service, span.kind) == (service, kind)]


@pytest.mark.parametrize("order", [{"sleep_ms": 300}, {"burn_ms": 300}])
def test_time_is_lost_inside_the_service(shop: RunningShop, traced: tuple[str, str], order: dict[str, object]) -> None:
    """A service that sleeps or burns CPU has the time in its own span and in none of its calls."""
    trace_id, traceparent = traced
    shop.misbehave(payment=order)
    assert shop.check_out(traceparent=traceparent).status_code == 201
    [served] = eventually(lambda: spans_of(shop, trace_id, "payment", SERVER))
    called = spans_of(shop, trace_id, "payment", CLIENT)
    assert served.duration_ms - sum(span.duration_ms for span in called) >= 300


def test_a_service_that_raises_is_where_the_error_starts(shop: RunningShop, traced: tuple[str, str]) -> None:
    """500 there, 502 at the gateway, and a log record with the trace."""
    trace_id, traceparent = traced
    shop.misbehave(payment={"raise": True})
    assert shop.check_out(traceparent=traceparent).status_code == 502
    [served] = eventually(lambda: spans_of(shop, trace_id, "payment", SERVER))
    assert (served.status, served.attributes["http.response.status_code"]) == (ERROR, 500)
    records = [line for line in shop.log_of("payment") if line.get("trace_id") == trace_id]
    assert [(line["level"], line["message"]) for line in records] == [("error", "request failed")]


def test_a_service_that_returns_early_skips_its_calls(shop: RunningShop, traced: tuple[str, str]) -> None:
    """A charge without the bank: the customer sees nothing, the trace lacks a hop."""
    trace_id, traceparent = traced
    shop.misbehave(payment={"return_early": True})
    assert shop.check_out(traceparent=traceparent).status_code == 201
    assert eventually(lambda: spans_of(shop, trace_id, "payment", SERVER))
    assert spans_of(shop, trace_id, "payment", CLIENT) == []


def test_a_dropped_message_is_never_sent(shop: RunningShop, traced: tuple[str, str]) -> None:
    """The order is shipped, and nobody is told."""
    trace_id, traceparent = traced
    shop.misbehave(fulfillment={"drop_message": True})
    order_id = shop.check_out(traceparent=traceparent).json()["order_id"]
    assert eventually(lambda: shop.order(order_id)["shipped"])
    assert eventually(lambda: spans_of(shop, trace_id, "fulfillment", CONSUMER))
    assert spans_of(shop, trace_id, "fulfillment", PRODUCER) == []


def test_a_lost_context_begins_a_trace_of_its_own(shop: RunningShop, traced: tuple[str, str]) -> None:
    """Called and consuming services that lose it work, and are missing from the caller's trace."""
    trace_id, traceparent = traced
    shop.misbehave(payment={"lose_context": True}, email={"lose_context": True})
    assert shop.check_out(traceparent=traceparent).status_code == 201
    assert eventually(lambda: spans_of(shop, trace_id, "fulfillment", PRODUCER))
    assert eventually(lambda: spans_of(shop, trace_id, "gateway", SERVER))
    assert spans_of(shop, trace_id, "gateway", CLIENT)
    assert {span.service for span in shop.spans(trace_id)} == {"gateway", "inventory", "fulfillment"}
