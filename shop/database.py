"""PostgreSQL as inventory and fulfillment use it: a warm pool that outlives cut connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import asyncpg

from shop.catalogue import PRODUCTS
from shop.parts import PartNotReady

__all__ = ["UNAVAILABLE", "Database"]

UNAVAILABLE = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, PartNotReady)
"""What it raises when the database cannot be reached, does not answer in time, or cuts the connection."""

_COMMAND_TIMEOUT_S = 3.0
_CONNECT_TIMEOUT_S = 2.0
_SCHEMA_LOCK = 0x7472_6163  # any number that only this schema uses


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        """Nothing: handlers leave no session state behind, and a reset is a round trip on every release."""
        return ""


class Database:
    """The pool, and transactions on it."""

    name = "postgres"

    def __init__(self, url: str, *, application: str, connections: int = 8) -> None:
        self._url = url
        self._application = application
        self._connections = connections
        self._pool: asyncpg.Pool | None = None

    async def connect(self) -> None:
        pool = await asyncpg.create_pool(
            self._url,
            min_size=self._connections,
            max_size=self._connections,
            max_inactive_connection_lifetime=0,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_COMMAND_TIMEOUT_S,
            connection_class=_Connection,
            server_settings={"application_name": self._application, "jit": "off"},
        )
        try:
            await _create_schema(pool)
        except BaseException:
            pool.terminate()
            raise
        self._pool = pool

    async def is_connected(self) -> bool:
        try:
            async with self.connection(timeout_s=1):
                return True
        except UNAVAILABLE:
            return False

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self, timeout_s: float = _COMMAND_TIMEOUT_S) -> AsyncIterator[Any]:
        """A connection outside of a transaction; raises one of UNAVAILABLE."""
        if self._pool is None:
            raise PartNotReady(self.name)
        async with self._pool.acquire(timeout=timeout_s) as connection:
            try:
                yield connection
            except UNAVAILABLE:
                connection.terminate()  # closing it in good order would wait for the same server again
                raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection inside of a transaction that ends with the block; raises one of UNAVAILABLE."""
        async with self.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except UNAVAILABLE:
                raise  # nobody is there to be told to roll back
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()


async def _create_schema(pool: asyncpg.Pool) -> None:
    """Tables and products, once, whichever service comes first: order rows are inventory's, shipments fulfillment's."""
    schema = resources.files("shop").joinpath("schema.sql").read_text()
    async with asyncio.timeout(30), pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
        await connection.execute(schema)
        await connection.execute(
            """
            INSERT INTO products (sku, name, category, description, price_cents, stock)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[])
            ON CONFLICT (sku) DO NOTHING
            """,
            *(list(column) for column in zip(*PRODUCTS, strict=True)),
        )
