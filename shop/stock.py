"""Orders and stock in PostgreSQL: what inventory does there, one transaction each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shop.database import Database
from shop.orders import Confirmation, Item, Order, Reservation

__all__ = ["InsufficientStock", "OrderHasOtherItems", "UnknownOrder", "cancel", "confirm", "find", "reserve"]

# Rows are locked in the order of their sku, or two carts with the same products could wait for each other for ever.
# It is the last statement before the commit: whoever wants the same product waits for one round trip, not for four.
_TAKE_STOCK = """
    WITH wanted AS (SELECT * FROM unnest($1::text[], $2::int[]) AS item (sku, quantity)),
         locked AS (SELECT sku FROM products WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE)
    UPDATE products SET stock = stock - wanted.quantity
    FROM wanted JOIN locked USING (sku)
    WHERE products.sku = wanted.sku AND products.stock >= wanted.quantity
    RETURNING products.sku
"""
_RETURN_STOCK = """
    UPDATE products SET stock = stock + item.quantity
    FROM unnest($1::text[], $2::int[]) AS item (sku, quantity)
    WHERE products.sku = item.sku
"""
_INSERT_ORDER = """
    INSERT INTO orders (order_id, user_id, user_tier, items, subtotal_cents, status)
    VALUES ($1, $2, $3, $4, $5, 'reserved')
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id
"""
_FIND_ORDER = """
    SELECT orders.*, shipments.order_id IS NOT NULL AS shipped
    FROM orders LEFT JOIN shipments USING (order_id)
    WHERE orders.order_id = $1
"""
_CONFIRM_ORDER = """
    UPDATE orders SET status = 'paid', charge_id = $2, total_cents = $3, paid_at = now()
    WHERE order_id = $1 AND status = 'reserved'
    RETURNING *, false AS shipped
"""
_CANCEL_ORDER = """
    UPDATE orders SET status = 'cancelled' WHERE order_id = $1 AND status = 'reserved' RETURNING *, false AS shipped
"""


class InsufficientStock(Exception):
    """There is less of these products than the order wants: `skus`."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(f"insufficient stock: {', '.join(skus)}")
        self.skus = tuple(skus)


class OrderHasOtherItems(Exception):
    """The order exists, and it is for other items: an idempotency key used twice."""


class UnknownOrder(Exception):
    """No order has this id."""


async def reserve(database: Database, asked: Reservation, subtotal_cents: int) -> Order:
    """Hold the items, or find what became of them when the same order asked before.

    Raises InsufficientStock or OrderHasOtherItems, and nothing is held then.
    """
    wanted = _quantities(asked.items)
    async with database.transaction() as connection:
        inserted = await connection.fetchval(
            _INSERT_ORDER, asked.order_id, asked.user_id, asked.user_tier, json.dumps(wanted), subtotal_cents
        )
        if inserted is None:
            return await _the_same_order(connection, asked.order_id, wanted)
        taken = await connection.fetch(_TAKE_STOCK, list(wanted), list(wanted.values()))
        if len(taken) < len(wanted):
            raise InsufficientStock(sorted(wanted.keys() - {row["sku"] for row in taken}))
    return Order(order_id=asked.order_id, status="reserved", subtotal_cents=subtotal_cents)


async def confirm(database: Database, order_id: UUID, confirmation: Confirmation) -> Order:
    """The order is paid; saying so twice changes nothing. Raises UnknownOrder."""
    async with database.connection() as connection:
        row = await connection.fetchrow(_CONFIRM_ORDER, order_id, confirmation.charge_id, confirmation.total_cents)
    return _order(row) if row else await find(database, order_id)


async def cancel(database: Database, order_id: UUID) -> Order:
    """Give the items back, if the order still holds them. Raises UnknownOrder."""
    async with database.transaction() as connection:
        row = await connection.fetchrow(_CANCEL_ORDER, order_id)
        if row is not None:
            items: dict[str, int] = json.loads(row["items"])
            await connection.execute(_RETURN_STOCK, list(items), list(items.values()))
    return _order(row) if row else await find(database, order_id)


async def find(database: Database, order_id: UUID) -> Order:
    """Raises UnknownOrder."""
    async with database.connection() as connection:
        row = await connection.fetchrow(_FIND_ORDER, order_id)
    if row is None:
        raise UnknownOrder(order_id)
    return _order(row)


async def _the_same_order(connection: Any, order_id: UUID, wanted: dict[str, int]) -> Order:
    row = await connection.fetchrow(_FIND_ORDER, order_id)
    if json.loads(row["items"]) != wanted:
        raise OrderHasOtherItems(order_id)
    return _order(row)


def _quantities(items: Sequence[Item]) -> dict[str, int]:
    """Quantity by sku, in the order of skus; a product listed twice counts once with both quantities."""
    total: Counter[str] = Counter()
    for item in items:
        total[item.sku] += item.quantity
    return dict(sorted(total.items()))


def _order(row: Any) -> Order:
    return Order(
        order_id=row["order_id"],
        status=row["status"],
        subtotal_cents=row["subtotal_cents"],
        total_cents=row["total_cents"],
        charge_id=row["charge_id"],
        shipped=row["shipped"],
    )
