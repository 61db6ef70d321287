"""What the shop's database says in the end, whatever the traces say."""

from __future__ import annotations

import asyncio

import asyncpg

from shop.queries import PAID_NOT_SHIPPED
from tracegap.errors import PartFailed

__all__ = ["paid_and_not_shipped"]

TIMEOUT_S = 10.0


def paid_and_not_shipped(database_url: str) -> int:
    """How many orders were charged and will never be sent.

    Raises PartFailed when the database cannot be asked.
    """
    try:
        return asyncio.run(_ask(database_url))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise PartFailed(f"postgres could not be asked for unshipped orders: {error}") from error


async def _ask(database_url: str) -> int:
    connection = await asyncpg.connect(database_url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        return int(await connection.fetchval(PAID_NOT_SHIPPED))
    finally:
        await connection.close()
