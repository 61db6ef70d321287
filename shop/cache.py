"""Redis as inventory uses it: a help when it is there, and no harm when it is not."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

__all__ = ["Cache"]

_TIMEOUT_S = 2.0
_CONNECT_TIMEOUT_S = 1.0
_LEAVE_ALONE_S = 0.5
"""After a failure nothing is written for so long: whoever waited for a read in vain should not wait for a write too."""

_UNAVAILABLE = (RedisError, OSError)

_logger = logging.getLogger(__name__)


class Cache:
    """Bytes by key, for a few seconds; a Redis that fails is a cache that misses."""

    name = "redis"

    def __init__(self, url: str) -> None:
        self._failed_s = -_LEAVE_ALONE_S
        self._redis = Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            max_connections=64,
            # Once more on a new connection at once: the pooled one may have been cut while it was idle.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )

    async def connect(self) -> None:
        if not await self.is_connected():
            raise ConnectionError("no connection")

    async def is_connected(self) -> bool:
        pool = self._redis.connection_pool
        try:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        except _UNAVAILABLE:
            return False
        await pool.release(connection)
        return True

    async def close(self) -> None:
        await self._redis.aclose()

    async def get(self, key: str) -> bytes | None:
        try:
            value = await self._redis.get(key)
        except _UNAVAILABLE as error:
            self._warn(error)
            return None
        return value if isinstance(value, bytes) else None

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        try:
            values = await self._redis.mget(keys)
        except _UNAVAILABLE as error:
            self._warn(error)
            return [None] * len(keys)
        return [value if isinstance(value, bytes) else None for value in values]

    async def put(self, key: str, value: bytes, *, seconds: int) -> None:
        try:
            if time.monotonic() > self._failed_s + _LEAVE_ALONE_S:
                await self._redis.set(key, value, ex=seconds)
        except _UNAVAILABLE as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        self._failed_s = time.monotonic()
        _logger.warning("cache unavailable, asking the database: %r", error)
