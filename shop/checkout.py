"""Prices and points at the checkout: the only business that deserves spans of its own."""

from __future__ import annotations

import uuid
from typing import Literal

from opentelemetry import trace
from pydantic import BaseModel, Field

from shop.charges import Card
from shop.orders import Items, Tier

__all__ = ["Checkout", "Receipt", "apply_loyalty_points", "calculate_discount", "order_id_of"]

_tracer = trace.get_tracer("shop.checkout")

_DISCOUNT_PERCENT = {"basic": 0, "silver": 5, "gold": 10}
_BULK_ITEMS = 10
_BULK_PERCENT = 3
_POINTS_PER_100_EUR = {"basic": 10, "silver": 15, "gold": 30}

_ORDERS = uuid.UUID("6f4d2b2e-4c55-4d0e-9f0a-0d5b3b6f7a11")


class Checkout(BaseModel):
    user_id: str = Field(min_length=1, max_length=64)
    user_tier: Tier = "basic"
    items: Items
    card: Card

    @property
    def item_count(self) -> int:
        return sum(item.quantity for item in self.items)


class Receipt(BaseModel):
    order_id: uuid.UUID
    status: Literal["paid"]
    total_cents: int
    points: int


def order_id_of(user_id: str, idempotency_key: str) -> uuid.UUID:
    """The same user with the same key means the same order, also for a gateway that was started in between."""
    return uuid.uuid5(_ORDERS, f"{user_id}\n{idempotency_key}")


def calculate_discount(order_id: uuid.UUID, checkout: Checkout, subtotal_cents: int) -> int:
    """What the customer pays, in cents: less for a better tier, and for ten items or more."""
    with _tracer.start_as_current_span("calculate_discount", attributes=_searchable(order_id, checkout)):
        percent = _DISCOUNT_PERCENT[checkout.user_tier]
        if checkout.item_count >= _BULK_ITEMS:
            percent += _BULK_PERCENT
        return max(1, subtotal_cents - subtotal_cents * percent // 100)


def apply_loyalty_points(order_id: uuid.UUID, checkout: Checkout, total_cents: int) -> int:
    """The points that this order earns."""
    with _tracer.start_as_current_span("apply_loyalty_points", attributes=_searchable(order_id, checkout)):
        return total_cents * _POINTS_PER_100_EUR[checkout.user_tier] // 10_000


def _searchable(order_id: uuid.UUID, checkout: Checkout) -> dict[str, str | int]:
    return {"order.id": str(order_id), "user.tier": checkout.user_tier, "item_count": checkout.item_count}
