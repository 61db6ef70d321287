"""What services say to each other about orders, as JSON over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Confirmation", "Item", "Items", "Line", "Order", "OrderStatus", "Quote", "Reservation", "Tier"]

Tier = Literal["basic", "silver", "gold"]
OrderStatus = Literal["reserved", "paid", "cancelled"]


class Item(BaseModel):
    """So many of one product."""

    model_config = ConfigDict(frozen=True)

    sku: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=100)


Items = Annotated[list[Item], Field(min_length=1, max_length=50)]


class Line(BaseModel):
    """An item with today's price."""

    sku: str
    name: str
    quantity: int
    unit_cents: int


class Quote(BaseModel):
    lines: list[Line]
    subtotal_cents: int


class Reservation(BaseModel):
    """Gateway to inventory: hold these items for this order. The same order may ask again."""

    order_id: UUID
    user_id: str
    user_tier: Tier
    items: Items


class Confirmation(BaseModel):
    """Gateway to inventory: the order is charged."""

    charge_id: str
    total_cents: int


class Order(BaseModel):
    """Inventory's answer: where an order stands; `total_cents` and `charge_id` once it is paid."""

    order_id: UUID
    status: OrderStatus
    subtotal_cents: int
    total_cents: int | None = None
    charge_id: str | None = None
    shipped: bool = False
