"""Tells the customer that the order is on its way: the last in line, and it sends nothing anywhere."""

from __future__ import annotations

import logging
from email.message import EmailMessage

from shop.messages import SHIPPED, Messages, OrderShipped
from shop.service import Service

_logger = logging.getLogger(__name__)

service = Service("email")
messages = Messages(
    service.settings.require("NATS_URL"),
    service="email",
    delivery=service.settings.delivery,
    misbehaviour=service.misbehaviour,
)
service.depends_on(messages)
app = service.asgi


async def notify(shipped: OrderShipped) -> None:
    behaviour = await service.misbehaviour.delay_or_raise()
    if behaviour.return_early:
        return
    message = _confirmation(shipped)
    _logger.info("confirmation sent", extra={"order_id": str(shipped.order_id), "bytes": len(bytes(message))})


def _confirmation(shipped: OrderShipped) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"Your order {shipped.order_id} is on its way"
    message["To"] = f"{shipped.user_id}@customers.invalid"
    message.set_content(f"Good news!\n\nFollow your parcel as {shipped.tracking_id}.\n")
    return message


messages.on(SHIPPED, notify)
