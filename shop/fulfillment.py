"""Ships what is paid: one shipment per order, however often the event comes."""

from __future__ import annotations

import logging
import uuid

from shop.database import UNAVAILABLE, Database
from shop.messages import PAID, SHIPPED, Messages, OrderPaid, OrderShipped
from shop.service import Service

_logger = logging.getLogger(__name__)

_INSERT_SHIPMENT = """
    INSERT INTO shipments (order_id, tracking_id) VALUES ($1, $2)
    ON CONFLICT (order_id) DO UPDATE SET tracking_id = shipments.tracking_id
    RETURNING tracking_id
"""

service = Service("fulfillment")
database = Database(service.settings.require("DATABASE_URL"), application="fulfillment", connections=4)
messages = Messages(
    service.settings.require("NATS_URL"),
    service="fulfillment",
    delivery=service.settings.delivery,
    misbehaviour=service.misbehaviour,
)
service.depends_on(database, messages)
app = service.asgi


async def ship(paid: OrderPaid) -> None:
    behaviour = await service.misbehaviour.delay_or_raise()
    if behaviour.return_early:
        return
    tracking_id = f"TG{uuid.uuid4().int % 10**10:010d}"
    try:
        async with database.connection() as connection:
            tracking_id = await connection.fetchval(_INSERT_SHIPMENT, paid.order_id, tracking_id)
    except UNAVAILABLE as error:
        _logger.error("order not shipped", extra={"order_id": str(paid.order_id), "reason": repr(error)})
        raise
    _logger.info("order shipped", extra={"order_id": str(paid.order_id), "item_count": paid.item_count})
    if not behaviour.drop_message:
        await messages.publish(
            SHIPPED, OrderShipped(order_id=paid.order_id, user_id=paid.user_id, tracking_id=tracking_id)
        )


messages.on(PAID, ship)
