"""Order events over NATS, at most once (core NATS) or durable (a JetStream stream with explicit acknowledgement)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from faststream import BaseMiddleware
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.opentelemetry import NatsTelemetryMiddleware
from nats.js.api import ConsumerConfig
from pydantic import BaseModel

from shop.misbehaviour import Misbehaviour
from shop.settings import Delivery

__all__ = ["PAID", "SHIPPED", "Messages", "OrderPaid", "OrderShipped"]

PAID = "orders.paid"
SHIPPED = "orders.shipped"

_STREAM = "ORDERS"
_ACK_WAIT_S = 3.0
_PUBLISH_TIMEOUT_S = 2.0
_AGAIN_AFTER_S = 1.0
_AT_ONCE = 8
_ASK_AGAIN_S = 1.0


class OrderPaid(BaseModel):
    order_id: UUID
    user_id: str
    user_tier: str
    item_count: int
    total_cents: int


class OrderShipped(BaseModel):
    order_id: UUID
    user_id: str
    tracking_id: str


class Messages:
    """One service's connection to the broker."""

    name = "nats"

    def __init__(self, url: str, *, service: str, delivery: Delivery, misbehaviour: Misbehaviour) -> None:
        self._service = service
        self._durable = delivery == "durable"
        self._broker = NatsBroker(
            url,
            name=service,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            connect_timeout=2,
            ping_interval=2,
            max_outstanding_pings=2,
            graceful_timeout=1,
            logger=logging.getLogger("shop.messages"),
            log_level=logging.DEBUG,
            middlewares=(
                _loses_context(misbehaviour),
                NatsTelemetryMiddleware(),
                *([_Acknowledges] if self._durable else []),
            ),
        )

    def on(self, subject: str, handle: Callable[..., Awaitable[None]]) -> None:
        """Consume a subject. Durable: what raised is delivered again after 1 s, what got lost on the way after 3 s."""
        if self._durable:
            subscriber = self._broker.subscriber(
                subject,
                pull_sub=PullSub(batch_size=_AT_ONCE, timeout=_ASK_AGAIN_S),
                stream=JStream(_STREAM, declare=False),
                durable=self._service,
                config=ConsumerConfig(ack_wait=_ACK_WAIT_S),
                ack_policy=AckPolicy.MANUAL,
            )
        else:
            subscriber = self._broker.subscriber(subject, queue=self._service)
        subscriber(handle)

    async def publish(self, subject: str, event: OrderPaid | OrderShipped) -> None:
        """At most once: handed to the connection. Durable: stored by the broker, or an error within 2 s."""
        order_id = str(event.order_id)
        if self._durable:
            await self._broker.publish(
                event,
                subject,
                correlation_id=order_id,
                headers={"Nats-Msg-Id": f"{subject}:{order_id}"},
                stream=_STREAM,
                timeout=_PUBLISH_TIMEOUT_S,
            )
        else:
            await self._broker.publish(event, subject, correlation_id=order_id)

    async def connect(self) -> None:
        connection = await self._broker.connect()
        if self._durable:
            await connection.jetstream().add_stream(name=_STREAM, subjects=["orders.*"])
        await self._broker.start()

    async def is_connected(self) -> bool:
        return bool(self._broker.running and self._broker.connection.is_connected)

    async def close(self) -> None:
        await self._broker.stop()


class _Acknowledges(BaseMiddleware):  # type: ignore[misc]
    """Explicitly, after the work; FastStream's own policies ask for a failed message again without a pause."""

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        try:
            result = await call_next(msg)
        except Exception:
            await msg.nack(delay=_AGAIN_AFTER_S)
            raise
        await msg.ack()
        return result


def _loses_context(misbehaviour: Misbehaviour) -> type[BaseMiddleware]:
    """A consumer that ignores the trace its message belongs to (stands before the telemetry's middleware)."""

    class LosesContext(BaseMiddleware):  # type: ignore[misc]
        async def consume_scope(self, call_next: Any, msg: Any) -> Any:
            if misbehaviour.now().lose_context:
                msg.headers.pop("traceparent", None)
            return await call_next(msg)

    return LosesContext
