"""Order events in a JetStream stream: what is late with a fault that loses messages otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shop.conftest import RunningShop, eventually, running
from tracegap.stack.stack import StackOptions

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    yield from running(tmp_path_factory.mktemp("durable"), StackOptions(delivery="durable"))


@pytest.mark.parametrize("link", ["nats->fulfillment", "fulfillment->postgres"])
def test_an_order_is_shipped_when_the_link_is_back(durable: RunningShop, link: str) -> None:
    """Whether the event could not arrive or the shipment could not be written: it waits."""
    assert durable.check_out().status_code == 201
    durable.set_link(link, enabled=False)
    try:
        order_id = str(durable.check_out().json()["order_id"])
        assert not durable.order(order_id)["shipped"]
    finally:
        durable.set_link(link, enabled=True)
    assert eventually(lambda: durable.order(order_id)["shipped"])


def test_a_failing_consumer_tries_again_after_a_pause(durable: RunningShop) -> None:
    """About once a second, not as fast as it can."""
    durable.misbehave(fulfillment={"raise": True})
    order_id = str(durable.check_out().json()["order_id"])
    assert eventually(lambda: len(_failures(durable)) >= 2)
    durable.behave()
    assert eventually(lambda: durable.order(order_id)["shipped"])
    assert len(_failures(durable)) <= 5


def _failures(shop: RunningShop) -> list[dict[str, object]]:
    return [line for line in shop.log_of("fulfillment") if "inconsistent" in str(line.get("exception", ""))]
