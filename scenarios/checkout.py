"""Shoppers: browse, look at products, fill a cart, check out. `locust -f scenarios/checkout.py --host URL`."""

from __future__ import annotations

import itertools
import random
import uuid
from typing import Any, ClassVar

import gevent
from locust import between, task
from locust.exception import StopUser

from scenarios.control import install
from scenarios.tracing import TracedUser

__all__ = ["Shopper"]

CATEGORIES = ("kitchen", "garden", "office", "outdoor")
TIERS = ("basic", "silver", "gold")
TIER_WEIGHTS = (6, 3, 1)
CARD = {"number": "4242424242424242"}

_ALL_PRODUCTS_SHARE = 0.15
_SECOND_ITEM_SHARE = 0.6

install()


class Shopper(TracedUser):
    """One customer after the other: about one checkout in five seconds."""

    wait_time = between(0.5, 1.5)
    connection_timeout = 5.0
    network_timeout = 15.0  # longer than any of the shop's own deadlines: the shop gives up first, and says so
    concurrency = 2

    _numbers: ClassVar[itertools.count[int]] = itertools.count(1)

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        number = next(self._numbers)
        self.user_id = f"user-{number}"
        seed = environment.parsed_options.seed if environment.parsed_options else None
        self.random = random.Random(f"{seed}/{number}" if seed is not None else None)
        self.tier = self.random.choices(TIERS, TIER_WEIGHTS)[0]

    @task  # type: ignore[untyped-decorator]
    def shop(self) -> None:
        products = self._browse()
        if not products:
            return
        cart: list[dict[str, str | int]] = []
        for _ in range(2 if self.random.random() < _SECOND_ITEM_SHARE else 1):
            self._think()
            sku = self._look_at(self.random.choice(products))
            self._think()
            cart.append({"sku": sku, "quantity": self.random.randint(1, 4)})
            self.client.post("/cart", json={"items": cart}, name="/cart")
        self._think()
        self._check_out(cart)

    def _browse(self) -> list[dict[str, Any]]:
        category = None if self.random.random() < _ALL_PRODUCTS_SHARE else self.random.choice(CATEGORIES)
        query = f"?category={category}" if category else ""
        response = self.client.get(f"/products{query}", name="/products")
        products: list[dict[str, Any]] = response.json() if response.status_code == 200 else []
        return [product for product in products if product["sku"] != "limited-edition"]

    def _look_at(self, product: dict[str, Any]) -> str:
        sku = str(product["sku"])
        self.client.get(f"/products/{sku}", name="/products/{sku}")
        return sku

    def _check_out(self, cart: list[dict[str, str | int]]) -> None:
        """Once more with the same key when it fails for no fault of the customer: she does not want to pay twice."""
        body = {"user_id": self.user_id, "user_tier": self.tier, "items": cart, "card": CARD}
        key = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        for resend_count in range(2):
            response = self.client.post(
                "/checkout", json=body, headers={"Idempotency-Key": key}, name="/checkout", resend_count=resend_count
            )
            if 0 < response.status_code < 500:
                return
            self._think()

    def _think(self) -> None:
        """A moment; customers do not begin anything new when the shop closes."""
        gevent.sleep(self.random.uniform(0.3, 0.9))
        if self._state == "stopping":
            raise StopUser
