"""The stack's description agrees with itself, with the shop, and with the rooms that read it."""

from __future__ import annotations

from faults.probe import PROBES
from shop.settings import SERVICES as SHOP_SERVICES
from tracegap.stack.description import GENERATOR, LINKS, SERVERS, SERVICES

NAMES = {"locust->gateway", "gateway->inventory", "gateway->payment", "payment->bank", "inventory->postgres"}
NAMES |= {"inventory->redis", "gateway->nats", "nats->fulfillment", "fulfillment->postgres", "nats->email"}


def test_every_service_of_the_shop_is_in_it() -> None:
    """No more and no less, each as the application that the shop has."""
    assert {service.name for service in SERVICES} == set(SHOP_SERVICES)
    assert all(service.app == f"shop.{service.name}:app" for service in SERVICES)


def test_links_join_what_there_is() -> None:
    """Caller and upstream exist, every link can be probed, and no name or variable is used twice."""
    parts = {service.name for service in SERVICES} | {server.name for server in SERVERS}
    assert {link.name for link in LINKS} == NAMES
    for link in LINKS:
        assert link.upstream in parts
        assert link.caller in parts | {GENERATOR}
        assert link.protocol in PROBES
    variables = [(link.caller, link.variable) for link in LINKS]
    assert len(set(variables)) == len(variables)


def test_every_link_carries_hops_of_its_ends() -> None:
    """A link to a service or server carries the hop that traces call by its name, or a message to or from its end."""
    systems = {server.name: server.system for server in SERVERS}
    for link in LINKS:
        direct = f"{link.caller}->{systems.get(link.upstream, link.upstream)}"
        message = [hop for hop in link.hops if link.upstream == "nats" and link.caller in hop.split("->")]
        assert direct in link.hops or message, link
