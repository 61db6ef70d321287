"""Catalogue, stock and the order book: PostgreSQL behind a Redis cache."""

from __future__ import annotations

import logging
from typing import Annotated
from uuid import UUID

from fastapi import Depends, HTTPException, Response
from pydantic import BaseModel

from shop import stock
from shop.cache import Cache
from shop.database import UNAVAILABLE, Database
from shop.misbehaviour import Behaviour
from shop.orders import Confirmation, Items, Line, Order, Quote, Reservation
from shop.products import Product, Products, UnknownProducts
from shop.service import Service

_logger = logging.getLogger(__name__)

service = Service("inventory")
database = Database(service.settings.require("DATABASE_URL"), application="inventory")
cache = Cache(service.settings.require("REDIS_URL"))
products = Products(database, cache)
service.depends_on(database, cache)
service.answers_503_on("postgresql", *UNAVAILABLE)
api = service.api
app = service.asgi

Behaves = Annotated[Behaviour, Depends(service.behaves)]


class Cart(BaseModel):
    items: Items


@api.get("/products")
async def list_products(behaviour: Behaves, category: str | None = None) -> Response:
    listing = b"[]" if behaviour.return_early else await products.listing(category)
    return Response(listing, media_type="application/json")


@api.get("/products/{sku}")
async def get_product(sku: str, behaviour: Behaves) -> Product:
    if behaviour.return_early:
        return Product(sku=sku, name=sku, category="", description="", price_cents=1)
    try:
        return (await products.by_sku([sku]))[sku]
    except UnknownProducts as error:
        raise HTTPException(404, str(error)) from None


@api.post("/quotes")
async def quote(cart: Cart, behaviour: Behaves) -> Quote:
    if behaviour.return_early:
        lines = [Line(sku=item.sku, name=item.sku, quantity=item.quantity, unit_cents=1) for item in cart.items]
        return Quote(lines=lines, subtotal_cents=len(lines))
    return await _quote(cart.items)


@api.post("/orders")
async def reserve(asked: Reservation, behaviour: Behaves) -> Order:
    """Hold the items of an order; asking again for the same order changes nothing and says where it stands."""
    if behaviour.return_early:
        return Order(order_id=asked.order_id, status="reserved", subtotal_cents=100)
    priced = await _quote(asked.items)
    try:
        order = await stock.reserve(database, asked, priced.subtotal_cents)
    except stock.InsufficientStock as error:
        raise HTTPException(409, str(error)) from None
    except stock.OrderHasOtherItems:
        raise HTTPException(409, "this idempotency key was used for another cart") from None
    _logger.info("stock reserved", extra={"order_id": str(order.order_id)})
    return order


@api.post("/orders/{order_id}/confirm")
async def confirm(order_id: UUID, confirmation: Confirmation, behaviour: Behaves) -> Order:
    if behaviour.return_early:
        return Order(order_id=order_id, status="paid", subtotal_cents=100, total_cents=confirmation.total_cents)
    try:
        order = await stock.confirm(database, order_id, confirmation)
    except stock.UnknownOrder:
        raise HTTPException(404, "unknown order") from None
    _logger.info("order paid", extra={"order_id": str(order_id)})
    return order


@api.post("/orders/{order_id}/cancel")
async def cancel(order_id: UUID, _: Behaves) -> Order:
    try:
        return await stock.cancel(database, order_id)
    except stock.UnknownOrder:
        raise HTTPException(404, "unknown order") from None


@api.get("/orders/{order_id}")
async def get_order(order_id: UUID, _: Behaves) -> Order:
    try:
        return await stock.find(database, order_id)
    except stock.UnknownOrder:
        raise HTTPException(404, "unknown order") from None


async def _quote(items: Items) -> Quote:
    try:
        return await products.quote(items)
    except UnknownProducts as error:
        raise HTTPException(422, str(error)) from None
