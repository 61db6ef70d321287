"""A customer's way through the running shop, and what it leaves behind: rows, spans and logs."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import pytest

from shop.queries import PAID_NOT_SHIPPED, PAID_NOT_SHIPPED_ORDERS
from tests.shop.conftest import CARD, RunningShop, eventually
from tests.shop.exported import CLIENT, CONSUMER, PRODUCER, SERVER

pytestmark = pytest.mark.stack


def new_trace() -> tuple[str, str]:
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-01"


def ask_database(shop: RunningShop, query: str, *arguments: object) -> Any:
    async def fetch() -> Any:
        connection = await asyncpg.connect(shop.stack.database_url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def charges(shop: RunningShop) -> int:
    return int(httpx.get(f"http://127.0.0.1:{shop.stack.ports['bank']}/authorizations/count").json())


def stock_of(shop: RunningShop, sku: str) -> int:
    return int(ask_database(shop, "SELECT stock FROM products WHERE sku = $1", sku)[0]["stock"])


def test_a_checkout_is_paid_and_shipped(shop: RunningShop) -> None:
    """The order is reserved, charged, paid, announced, and has a shipment soon after; stock is less by it."""
    before = stock_of(shop, "oak-teapot")
    response = shop.check_out("oak-teapot", quantity=3)
    assert response.status_code == 201
    order_id = response.json()["order_id"]
    assert eventually(lambda: shop.order(order_id)["shipped"])
    assert shop.order(order_id)["status"] == "paid"
    assert stock_of(shop, "oak-teapot") == before - 3


def test_a_gold_customer_pays_less_and_earns_more(shop: RunningShop) -> None:
    """Ten per cent off for gold, another three for ten items; points by tier."""
    basic = shop.check_out(quantity=10).json()
    gold = shop.check_out(quantity=10, tier="gold").json()
    subtotal = shop.gateway.get("/products/plain-kettle").json()["price_cents"] * 10
    assert basic["total_cents"] == subtotal - subtotal * 3 // 100
    assert gold["total_cents"] == subtotal - subtotal * 13 // 100
    assert gold["points"] == gold["total_cents"] * 30 // 10_000


def test_a_repeated_checkout_charges_once(shop: RunningShop) -> None:
    """The same key gives the same order and one charge, one after the other and at the same time."""
    before = charges(shop)
    key = uuid.uuid4().hex
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: shop.check_out(key=key), range(4)))
    answers.append(shop.check_out(key=key))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert charges(shop) == before + 1


def test_a_key_cannot_be_used_for_another_cart(shop: RunningShop) -> None:
    """409, and the first order stands."""
    key = uuid.uuid4().hex
    assert shop.check_out(key=key).status_code == 201
    response = shop.check_out("oak-teapot", key=key)
    assert (response.status_code, "another cart" in response.json()["detail"]) == (409, True)


def test_a_charge_whose_answer_got_lost_is_not_made_twice(shop: RunningShop) -> None:
    """The link cuts the answer off; the same key then finds the charge that the bank has made."""
    before = charges(shop)
    key = uuid.uuid4().hex
    toxic = {"name": "cut", "type": "limit_data", "stream": "downstream", "attributes": {"bytes": 20}}
    shop.toxiproxy.post("/proxies/payment->bank/toxics", json=toxic).raise_for_status()
    try:
        assert shop.check_out(key=key).status_code == 502
    finally:
        shop.toxiproxy.delete("/proxies/payment->bank/toxics/cut").raise_for_status()
    assert shop.check_out(key=key).status_code == 201
    assert charges(shop) == before + 1


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"items": []}, 422, "items"),
        ({"items": [{"sku": "oak-teapot", "quantity": 0}]}, 422, "quantity"),
        ({"items": [{"sku": "unheard-of", "quantity": 1}]}, 422, "unknown product: unheard-of"),
        ({"items": [{"sku": "limited-edition", "quantity": 1}]}, 409, "insufficient stock: limited-edition"),
        ({"card": {"number": "4242424242424241"}}, 422, "not a card number"),
        ({"card": {"number": "4000000000000002"}}, 402, "card declined"),
        ({"card": {"number": "4000000000000119"}}, 502, "payment failed"),
        ({"user_tier": "platinum"}, 422, "user_tier"),
    ],
)
def test_a_bad_checkout_says_why(shop: RunningShop, change: dict[str, object], status: int, reason: str) -> None:
    """4xx with a reason for what the customer did wrong, 502 for the bank's failures; never the card's number."""
    body: dict[str, object] = {"user_id": "ada", "items": [{"sku": "oak-kettle", "quantity": 1}]}
    body |= {"card": {"number": CARD}} | change
    response = shop.gateway.post("/checkout", json=body)
    assert response.status_code == status
    assert reason in response.json()["detail"]
    assert str(dict(body["card"])["number"]) not in response.text  # type: ignore[call-overload]


def test_a_declined_card_gives_the_items_back(shop: RunningShop) -> None:
    """Stock is what it was, also when the customer tries the same again."""
    before = stock_of(shop, "oak-hose")
    for _ in range(2):
        assert shop.check_out("oak-hose", card="4000000000000002", key="declined").status_code == 402
    assert stock_of(shop, "oak-hose") == before


def test_unknown_products_and_orders_are_404(shop: RunningShop) -> None:
    """Not an empty answer, and not a server error; also for names that look like paths."""
    for path in ("/products/unheard-of", "/products/..%2Forders", f"/orders/{uuid.uuid4()}"):
        assert shop.gateway.get(path).status_code == 404, path


def test_a_checkout_is_one_trace_through_all_services(shop: RunningShop) -> None:
    """Calls, messages, database and cache hang together under the caller's span, and name what they talk to."""
    trace_id, traceparent = new_trace()
    order_id = shop.check_out("amber-tent", traceparent=traceparent, tier="gold").json()["order_id"]

    def whole_trace() -> bool:
        spans = shop.spans(trace_id)
        ids = {span.span_id for span in spans}
        tops = [span.name for span in spans if span.parent_id not in ids]
        # Every service exports its spans in its own time.
        services = {span.service for span in spans}
        return tops == ["POST /checkout"] and services == {"gateway", "inventory", "payment", "fulfillment", "email"}

    assert eventually(whole_trace)
    spans = shop.spans(trace_id)
    kinds = {(span.service, span.kind) for span in spans}
    assert kinds >= {
        ("gateway", SERVER), ("inventory", SERVER), ("payment", SERVER),
        ("gateway", PRODUCER), ("fulfillment", CONSUMER), ("fulfillment", PRODUCER), ("email", CONSUMER),
    }  # fmt: skip
    calls = [span for span in spans if span.kind == CLIENT]
    assert {span.attributes.get("db.system.name") for span in calls} == {"postgresql", "redis", None}
    assert all(span.attributes["server.address"] == "127.0.0.1" and span.attributes["server.port"] for span in calls)
    discount = next(span for span in spans if span.name == "calculate_discount")
    assert discount.attributes == {"order.id": order_id, "user.tier": "gold", "item_count": 1}
    published = next(span for span in spans if span.name == "orders.paid publish")
    assert published.attributes["messaging.message.conversation_id"] == order_id


def test_a_call_s_span_covers_the_whole_body(shop: RunningShop) -> None:
    """On a narrow link the transfer of a large answer is time of the call, and not idle time of the caller."""
    trace_id, traceparent = new_trace()
    narrow = {"name": "narrow", "type": "bandwidth", "stream": "downstream", "attributes": {"rate": 100}}
    shop.toxiproxy.post("/proxies/gateway->inventory/toxics", json=narrow).raise_for_status()
    try:
        assert shop.gateway.get("/products", headers={"traceparent": traceparent}).status_code == 200
    finally:
        shop.toxiproxy.delete("/proxies/gateway->inventory/toxics/narrow").raise_for_status()
    assert eventually(lambda: {span.service for span in shop.spans(trace_id)} == {"gateway", "inventory"})
    spans = shop.spans(trace_id)
    call = next(span for span in spans if span.kind == CLIENT and span.service == "gateway")
    served = next(span for span in spans if span.kind == SERVER and span.service == "inventory")
    size = int(served.attributes["http.response.header.content_length"][0])
    assert size > 50_000
    assert call.duration_ms > size / 100 * 0.9
    assert served.duration_ms < call.duration_ms / 2


def test_health_checks_leave_no_spans(shop: RunningShop) -> None:
    """Neither the request's own, nor any of what it asks the servers."""
    for service in ("gateway", "inventory", "fulfillment"):
        response = httpx.get(f"http://127.0.0.1:{shop.stack.ports[service]}/healthz")
        assert (response.status_code, response.json()) == (200, {"service": service, "missing": []})
    trace_id, traceparent = new_trace()
    shop.gateway.get("/healthz", headers={"traceparent": traceparent})
    marker, traceparent = new_trace()
    shop.gateway.get("/products/plain-kettle", headers={"traceparent": traceparent})
    assert eventually(lambda: shop.spans(marker))
    assert shop.spans(trace_id) == []


def test_logs_name_the_trace_and_never_the_card(shop: RunningShop) -> None:
    """One JSON object per line with trace and service, the same over OTLP, and no card number in either."""
    trace_id, traceparent = new_trace()
    order_id = shop.check_out(traceparent=traceparent).json()["order_id"]
    records = eventually(lambda: [log for log in shop.logs() if log.trace_id == trace_id and log.service == "email"])
    assert [record.message for record in records] == ["confirmation sent"]
    lines = [line for line in shop.log_of("payment") if line.get("trace_id") == trace_id]
    assert [(line["message"], line["order_id"], line["level"]) for line in lines] == [("charged", order_id, "info")]
    assert lines[0]["service"] == "payment"
    everything = "".join(file.read_text() for file in (shop.stack.directory / "parts").glob("*.log"))
    everything += str(shop.logs())
    assert CARD not in everything
    assert "charged" in everything


def test_paid_and_not_shipped_counts_what_nobody_consumed(shop: RunningShop) -> None:
    """Orders that are announced while fulfillment is cut off are lost (at most once), and one query finds them."""
    [[before]] = ask_database(shop, PAID_NOT_SHIPPED)
    shop.set_link("nats->fulfillment", enabled=False)
    try:
        lost = [shop.check_out().json()["order_id"] for _ in range(3)]
    finally:
        shop.set_link("nats->fulfillment", enabled=True)

    def ships_again() -> object:
        order_id = shop.check_out().json()["order_id"]
        return eventually(lambda: shop.order(order_id)["shipped"], within_s=1)

    assert eventually(ships_again)
    found = {str(row["order_id"]) for row in ask_database(shop, PAID_NOT_SHIPPED_ORDERS)}
    assert set(lost) <= found
    [[after]] = ask_database(shop, PAID_NOT_SHIPPED)
    assert after == len(found)
    assert after - before >= 3


def test_a_checkout_does_not_need_the_cache(shop: RunningShop) -> None:
    """With Redis unreachable the database answers."""
    shop.set_link("inventory->redis", enabled=False)
    try:
        assert shop.check_out().status_code == 201
        assert shop.gateway.get("/products").status_code == 200
    finally:
        shop.set_link("inventory->redis", enabled=True)


@pytest.mark.parametrize(
    ("link", "status"),
    [("gateway->inventory", 502), ("gateway->payment", 502), ("payment->bank", 502), ("inventory->postgres", 502)],
)
def test_a_cut_link_fails_at_once_and_recovers_by_itself(shop: RunningShop, link: str, status: int) -> None:
    """An error while it is cut, and the next checkout after it works."""
    shop.set_link(link, enabled=False)
    try:
        assert shop.check_out().status_code == status
    finally:
        shop.set_link(link, enabled=True)
    assert shop.check_out().status_code == 201
