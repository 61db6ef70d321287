"""What the stack consists of: its servers, its services and the links between them. Data only.

Everything that has to agree with the stack reads it here: the start-up, the address book and the scorecard of a run,
and the test that holds docker-compose.yml against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["GENERATOR", "LINKS", "SERVERS", "SERVICES", "Link", "Protocol", "Server", "Service", "hops_of_links"]

Protocol = Literal["http", "postgres", "redis", "nats"]

GENERATOR = "locust"
"""The load generator's service name: the caller of the first link."""


@dataclass(frozen=True, slots=True)
class Server:
    """A third-party server that the shop stores or sends with."""

    name: str
    protocol: Protocol
    system: str  # its name in OpenTelemetry's semantic conventions, and so in peer hops
    port: int  # where it usually listens; a run on one machine chooses free ports


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the shop: `uvicorn <app>`."""

    name: str
    app: str
    port: int
    instrumented: bool = True  # False: only with --trace-bank


@dataclass(frozen=True, slots=True)
class Link:
    """A connection that Toxiproxy stands in: one proxy of this name."""

    name: str
    caller: str  # a service, or the generator
    upstream: str  # a service or a server
    protocol: Protocol  # what a probe has to speak through it
    hops: tuple[str, ...]  # the hops of traces that cross it
    variable: str = ""  # the caller's environment variable that holds its URL


SERVERS = (
    Server("postgres", "postgres", "postgresql", 5432),
    Server("redis", "redis", "redis", 6379),
    Server("nats", "nats", "nats", 4222),
)

SERVICES = (
    Service("gateway", "shop.gateway:app", 8000),
    Service("inventory", "shop.inventory:app", 8001),
    Service("payment", "shop.payment:app", 8002),
    Service("fulfillment", "shop.fulfillment:app", 8003),
    Service("email", "shop.email:app", 8004),
    Service("bank", "shop.bank:app", 8005, instrumented=False),
)

LINKS = (
    Link("locust->gateway", GENERATOR, "gateway", "http", ("locust->gateway",)),
    Link("gateway->inventory", "gateway", "inventory", "http", ("gateway->inventory",), "INVENTORY_URL"),
    Link("gateway->payment", "gateway", "payment", "http", ("gateway->payment",), "PAYMENT_URL"),
    Link("payment->bank", "payment", "bank", "http", ("payment->bank",), "BANK_URL"),
    Link("inventory->postgres", "inventory", "postgres", "postgres", ("inventory->postgresql",), "DATABASE_URL"),
    Link("inventory->redis", "inventory", "redis", "redis", ("inventory->redis",), "REDIS_URL"),
    # Both of these stand in the way of an order event; so both carry the hop from its sender to its receiver.
    Link("gateway->nats", "gateway", "nats", "nats", ("gateway->fulfillment",), "NATS_URL"),
    Link(
        "nats->fulfillment",
        "fulfillment",
        "nats",
        "nats",
        ("gateway->fulfillment", "fulfillment->email"),
        "NATS_URL",
    ),
    Link("fulfillment->postgres", "fulfillment", "postgres", "postgres", ("fulfillment->postgresql",), "DATABASE_URL"),
    Link("nats->email", "email", "nats", "nats", ("fulfillment->email",), "NATS_URL"),
)


def hops_of_links() -> dict[str, tuple[str, ...]]:
    """Link name to the hops that it carries, as traces name them."""
    return {link.name: link.hops for link in LINKS}
