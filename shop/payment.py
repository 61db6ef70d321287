"""Charges a card at the bank, once per idempotency key."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import Depends, HTTPException

from shop.charges import Charge, ChargeRequest
from shop.clients import Peer
from shop.misbehaviour import Behaviour
from shop.once import KeyUsedForAnotherRequest, Once
from shop.service import Service

_logger = logging.getLogger(__name__)

service = Service("payment")
bank = Peer("bank", service.settings.require("BANK_URL"), timeout_s=3)
service.closes(bank)
api = service.api
app = service.asgi

Behaves = Annotated[Behaviour, Depends(service.behaves)]

_charged: Once[Charge] = Once()


@api.post("/charges")
async def charge(request: ChargeRequest, behaviour: Behaves) -> Charge:
    """402 when the bank declines, 502 when it fails: then nobody knows, and the same key finds out."""
    if behaviour.return_early:
        return Charge(charge_id="ch_0", amount_cents=request.amount_cents)
    try:
        made = await _charged.do(request.idempotency_key, request.amount_cents, lambda: _charge(request))
    except KeyUsedForAnotherRequest:
        raise HTTPException(409, "this idempotency key was used for another amount") from None
    _logger.info("charged", extra={"order_id": request.order_id, "charge_id": made.charge_id})
    return made


async def _charge(request: ChargeRequest) -> Charge:
    answer = await bank.call("POST", "/authorizations", request.revealed())
    if answer.status_code != 200:
        raise HTTPException(answer.status_code, answer.json()["detail"])
    return Charge.model_validate_json(answer.content)
