"""What a service depends on, and how it connects: in the background, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

__all__ = ["Part", "PartNotReady", "connect_in_background"]

_RETRY_S = 0.2

_logger = logging.getLogger(__name__)


class PartNotReady(Exception):
    """Work came in before the part that it needs was connected."""


class Part(Protocol):
    """A database, cache or broker as one service sees it."""

    name: str

    async def connect(self) -> None:
        """One attempt; raises whatever the client raises."""

    async def is_connected(self) -> bool:
        """Asks without leaving a span behind, and answers within about a second."""

    async def close(self) -> None: ...


def connect_in_background(part: Part) -> asyncio.Task[None]:
    """Try again every 0.2 s until the part is there: a service must come up in any order with its parts."""
    return asyncio.create_task(_connect(part), name=f"connect {part.name}")


async def _connect(part: Part) -> None:
    attempts = 0
    while True:
        try:
            return await part.connect()
        except Exception as error:  # noqa: BLE001 - any reason to fail is a reason to try again
            if attempts % 25 == 0:
                _logger.warning("waiting for %s: %r", part.name, error)
            attempts += 1
        await asyncio.sleep(_RETRY_S)
