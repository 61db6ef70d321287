"""What others ask the shop's database."""

from __future__ import annotations

__all__ = ["PAID_NOT_SHIPPED", "PAID_NOT_SHIPPED_ORDERS"]

PAID_NOT_SHIPPED_ORDERS = """
    SELECT orders.order_id, orders.paid_at
    FROM orders LEFT JOIN shipments USING (order_id)
    WHERE orders.status = 'paid' AND shipments.order_id IS NULL
    ORDER BY orders.paid_at
"""
"""Orders that were charged and that nobody will send: `order_id` uuid, `paid_at` timestamptz, oldest first."""

PAID_NOT_SHIPPED = """
    SELECT count(*)
    FROM orders LEFT JOIN shipments USING (order_id)
    WHERE orders.status = 'paid' AND shipments.order_id IS NULL
"""
"""How many of them there are: one number."""
