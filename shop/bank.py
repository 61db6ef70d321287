"""The third party: takes 12 to 18 ms, remembers every key, declines or breaks for certain cards."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Annotated

from fastapi import Depends, HTTPException

from shop.charges import Charge, ChargeRequest
from shop.misbehaviour import Behaviour
from shop.once import KeyUsedForAnotherRequest, Once
from shop.service import Service

DECLINED_CARD = "4000000000000002"
BROKEN_CARD = "4000000000000119"

service = Service("bank")
api = service.api
app = service.asgi

Behaves = Annotated[Behaviour, Depends(service.behaves)]

_authorized: Once[Charge] = Once()


@api.post("/authorizations")
async def authorize(request: ChargeRequest, behaviour: Behaves) -> Charge:
    if behaviour.return_early:
        return Charge(charge_id="ch_0", amount_cents=request.amount_cents)
    try:
        return await _authorized.do(request.idempotency_key, request.amount_cents, lambda: _authorize(request))
    except KeyUsedForAnotherRequest:
        raise HTTPException(409, "this idempotency key was used for another amount") from None


@api.get("/authorizations/count")
async def count() -> int:
    """How many charges were really made."""
    return len(_authorized)


async def _authorize(request: ChargeRequest) -> Charge:
    await asyncio.sleep(random.uniform(0.012, 0.018))
    match request.card.number.get_secret_value():
        case number if number == DECLINED_CARD:
            raise HTTPException(402, "card declined")
        case number if number == BROKEN_CARD:
            raise HTTPException(500, "processing error")
    return Charge(charge_id=f"ch_{uuid.uuid4().hex[:16]}", amount_cents=request.amount_cents)
