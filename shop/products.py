"""Products, read through the cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from shop.cache import Cache
from shop.database import Database
from shop.orders import Item, Line, Quote

__all__ = ["Product", "Products", "UnknownProducts"]

_CACHED_S = 3
"""Short, so that both the cache and the database see traffic all the time."""


class Product(BaseModel):
    sku: str
    name: str
    category: str
    description: str
    price_cents: int


class UnknownProducts(Exception):
    """Nobody sells these: `skus`."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(f"unknown product: {', '.join(skus)}")
        self.skus = tuple(skus)


class Products:
    def __init__(self, database: Database, cache: Cache) -> None:
        self._database = database
        self._cache = cache

    async def listing(self, category: str | None) -> bytes:
        """A JSON array of the products of one category, or of all: from 20 to 80 kB."""
        key = f"listing:{category or '*'}"
        cached = await self._cache.get(key)
        if cached is not None:
            return cached
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                """
                SELECT sku, name, category, description, price_cents FROM products
                WHERE $1::text IS NULL OR category = $1 ORDER BY category, sku
                """,
                category,
            )
        listing = json.dumps([dict(row) for row in rows], separators=(",", ":")).encode()
        await self._cache.put(key, listing, seconds=_CACHED_S)
        return listing

    async def by_sku(self, skus: Sequence[str]) -> dict[str, Product]:
        """Raises UnknownProducts unless all of them exist."""
        wanted = sorted(set(skus))
        cached = await self._cache.get_many([f"product:{sku}" for sku in wanted])
        found = {sku: Product.model_validate_json(value) for sku, value in zip(wanted, cached, strict=True) if value}
        missed = [sku for sku in wanted if sku not in found]
        if missed:
            found |= await self._fetch(missed)
        unknown = [sku for sku in wanted if sku not in found]
        if unknown:
            raise UnknownProducts(unknown)
        return found

    async def quote(self, items: Sequence[Item]) -> Quote:
        """The items with their prices. Raises UnknownProducts."""
        products = await self.by_sku([item.sku for item in items])
        lines = [
            Line(
                sku=item.sku,
                name=products[item.sku].name,
                quantity=item.quantity,
                unit_cents=products[item.sku].price_cents,
            )
            for item in items
        ]
        return Quote(lines=lines, subtotal_cents=sum(line.quantity * line.unit_cents for line in lines))

    async def _fetch(self, skus: Sequence[str]) -> dict[str, Product]:
        async with self._database.connection() as connection:
            rows: Sequence[Any] = await connection.fetch(
                "SELECT sku, name, category, description, price_cents FROM products WHERE sku = ANY ($1)", skus
            )
        products = [Product(**row) for row in rows]
        for product in products:
            await self._cache.put(f"product:{product.sku}", product.model_dump_json().encode(), seconds=_CACHED_S)
        return {product.sku: product for product in products}
