"""The shop's front door: what browsers call. Keeps nothing; orders live with inventory."""

from __future__ import annotations

import logging
import uuid
from typing import Annotated

import httpx
from fastapi import Depends, Header, HTTPException, Response
from pydantic import BaseModel

from shop.charges import Charge, ChargeRequest
from shop.checkout import Checkout, Receipt, apply_loyalty_points, calculate_discount, order_id_of
from shop.clients import Peer
from shop.messages import PAID, Messages, OrderPaid
from shop.misbehaviour import Behaviour
from shop.orders import Confirmation, Items, Order, Reservation
from shop.service import Service

_logger = logging.getLogger(__name__)

service = Service("gateway")
inventory = Peer("inventory", service.settings.require("INVENTORY_URL"), timeout_s=5)
payment = Peer("payment", service.settings.require("PAYMENT_URL"), timeout_s=5)
messages = Messages(
    service.settings.require("NATS_URL"),
    service="gateway",
    delivery=service.settings.delivery,
    misbehaviour=service.misbehaviour,
)
service.depends_on(messages)
service.closes(inventory, payment)
api = service.api
app = service.asgi

Behaves = Annotated[Behaviour, Depends(service.behaves)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=100)]


class Cart(BaseModel):
    items: Items


@api.get("/products")
async def list_products(_: Behaves, category: str | None = None) -> Response:
    query = httpx.QueryParams({"category": category} if category else {})
    return _pass_on(await inventory.call("GET", f"/products?{query}"))


@api.get("/products/{sku}")
async def get_product(sku: str, _: Behaves) -> Response:
    return _pass_on(await inventory.call("GET", f"/products/{httpx.URL(path=sku).raw_path.decode()}"))


@api.post("/cart")
async def price_cart(cart: Cart, _: Behaves) -> Response:
    return _pass_on(await inventory.call("POST", "/quotes", cart.model_dump()))


@api.get("/orders/{order_id}")
async def get_order(order_id: uuid.UUID, _: Behaves) -> Response:
    return _pass_on(await inventory.call("GET", f"/orders/{order_id}"))


@api.post("/checkout", status_code=201)
async def checkout(asked: Checkout, behaviour: Behaves, idempotency_key: IdempotencyKey = None) -> Receipt:
    """Reserve, charge, confirm, announce. With an `Idempotency-Key` it may be asked again and charges once."""
    order_id = order_id_of(asked.user_id, idempotency_key or uuid.uuid4().hex)
    if behaviour.return_early:
        return Receipt(order_id=order_id, status="paid", total_cents=1, points=0)
    order = await _reserve(order_id, asked)
    if order.status == "cancelled":
        raise HTTPException(402, "the card was declined for this order")
    total_cents = order.total_cents or calculate_discount(order_id, asked, order.subtotal_cents)
    if order.status == "reserved":
        charge = await _charge(order_id, asked, total_cents)
        await _confirm(order_id, charge)
        if not behaviour.drop_message:
            await _announce(order_id, asked, total_cents)
    points = apply_loyalty_points(order_id, asked, total_cents)
    return Receipt(order_id=order_id, status="paid", total_cents=total_cents, points=points)


async def _reserve(order_id: uuid.UUID, asked: Checkout) -> Order:
    wanted = Reservation(order_id=order_id, user_id=asked.user_id, user_tier=asked.user_tier, items=asked.items)
    answer = await inventory.call("POST", "/orders", wanted.model_dump(mode="json"))
    _raise_for_refusal(answer)
    return Order.model_validate_json(answer.content)


async def _charge(order_id: uuid.UUID, asked: Checkout, total_cents: int) -> Charge:
    """Give the items back when the bank says no. When nobody knows (502), keep them: the same key may come again."""
    request = ChargeRequest(
        idempotency_key=str(order_id), order_id=str(order_id), amount_cents=total_cents, card=asked.card
    )
    answer = await payment.call("POST", "/charges", request.revealed())
    if answer.status_code == 402:
        await inventory.call("POST", f"/orders/{order_id}/cancel")
    _raise_for_refusal(answer)
    return Charge.model_validate_json(answer.content)


async def _confirm(order_id: uuid.UUID, charge: Charge) -> None:
    paid = Confirmation(charge_id=charge.charge_id, total_cents=charge.amount_cents)
    _raise_for_refusal(await inventory.call("POST", f"/orders/{order_id}/confirm", paid.model_dump()))


async def _announce(order_id: uuid.UUID, asked: Checkout, total_cents: int) -> None:
    """Tell the others. The customer has paid: that nobody could be told is no reason to answer with a failure."""
    event = OrderPaid(
        order_id=order_id,
        user_id=asked.user_id,
        user_tier=asked.user_tier,
        item_count=asked.item_count,
        total_cents=total_cents,
    )
    try:
        await messages.publish(PAID, event)
    except Exception as error:  # noqa: BLE001 - whatever it is, the order is paid
        _logger.error("order not announced", extra={"order_id": str(order_id), "reason": repr(error)})
    else:
        _logger.info("order announced", extra={"order_id": str(order_id), "user_tier": asked.user_tier})


def _raise_for_refusal(answer: httpx.Response) -> None:
    if answer.is_client_error:
        raise HTTPException(answer.status_code, answer.json()["detail"])


def _pass_on(answer: httpx.Response) -> Response:
    return Response(answer.content, answer.status_code, media_type="application/json")
