"""The products that a new shop starts with: the same ones everywhere, with descriptions of very different lengths."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PRODUCTS", "SOLD_OUT_SKU", "SeedProduct"]

_CATEGORIES = {
    "kitchen": ("Kettle", "Teapot", "Skillet", "Grinder"),
    "garden": ("Trowel", "Lantern", "Planter", "Hose"),
    "office": ("Notebook", "Desk Lamp", "Stapler", "Chair"),
    "outdoor": ("Tent", "Stove", "Headlamp", "Flask"),
}
_FINISHES = ("Plain", "Oak", "Copper", "Slate", "Linen", "Enamel", "Walnut", "Cobalt", "Amber", "Moss")

_SENTENCES = (
    "Made in small batches and checked by hand before it leaves the workshop.",
    "It keeps its finish after years of daily use.",
    "Every part can be replaced, and we stock all of them.",
    "Packed without plastic in a box that fits through a letterbox when it can.",
    "Customers tell us that they bought a second one as a present.",
)

_PLENTY = 1_000_000  # no load that this project makes sells a product out


class SeedProduct(NamedTuple):
    sku: str
    name: str
    category: str
    description: str
    price_cents: int
    stock: int


SOLD_OUT_SKU = "limited-edition"
"""A product without stock, for those who want to see a 409."""


def _products() -> tuple[SeedProduct, ...]:
    products: list[SeedProduct] = []
    for category, things in _CATEGORIES.items():
        for thing in things:
            for finish in _FINISHES:
                number = len(products)
                sku = f"{finish}-{thing}".lower().replace(" ", "-")
                text = " ".join(_SENTENCES[(number + i) % len(_SENTENCES)] for i in range(1 + number * 7 % 12))
                products.append(
                    SeedProduct(sku, f"{finish} {thing}", category, text, 495 + number * 137 % 9000, _PLENTY)
                )
    products.append(SeedProduct(SOLD_OUT_SKU, "Limited Edition", "office", "Gone within a day.", 99_900, 0))
    return tuple(products)


PRODUCTS = _products()
