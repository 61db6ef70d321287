"""Passing requests on to a real backend as well, without ever letting it slow the receiving down.

A bounded queue in memory and one sender. When the backend is slow or gone the queue fills up and the newest
requests are dropped here and counted; on disk they are all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import httpx
import stamina

from collector.receiver import Signal

__all__ = ["Forwarder"]

QUEUE_BYTES = 64 * 1024 * 1024
ATTEMPTS = 4
_log = logging.getLogger(__name__)


def _is_passing(error: Exception) -> bool:
    """OTLP/HTTP names 429, 502, 503 and 504 as worth another try."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (429, 502, 503, 504)
    return isinstance(error, httpx.TransportError)


class Forwarder:
    """Sends OTLP/HTTP protobuf to `<url>/v1/<signal>`."""

    def __init__(self, url: str, *, queue_bytes: int = QUEUE_BYTES) -> None:
        self.url = url.rstrip("/")
        self.sent = 0
        self.dropped = 0
        self._queue: asyncio.Queue[tuple[Signal, bytes]] = asyncio.Queue()
        self._queue_bytes = queue_bytes
        self._queued_bytes = 0

    def __call__(self, signal: Signal, body: bytes) -> None:
        """Queue one request; never blocks, never raises."""
        if self._queued_bytes + len(body) > self._queue_bytes:
            self.dropped += 1
            return
        self._queue.put_nowait((signal, body))
        self._queued_bytes += len(body)

    async def run(self) -> None:
        """Send until cancelled."""
        async with httpx.AsyncClient(timeout=5.0) as client:
            while True:
                signal, body = await self._queue.get()
                await self._send(client, signal, body)
                self._queued_bytes -= len(body)
                self._queue.task_done()

    async def drain(self, seconds: float) -> None:
        """Give what is queued this long to leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()

    async def _send(self, client: httpx.AsyncClient, signal: Signal, body: bytes) -> None:
        try:
            async for attempt in stamina.retry_context(on=_is_passing, attempts=ATTEMPTS, timeout=15.0):
                with attempt:
                    answer = await client.post(
                        f"{self.url}/v1/{signal.value}",
                        content=body,
                        headers={"content-type": "application/x-protobuf"},
                    )
                    answer.raise_for_status()
            self.sent += 1
        except httpx.HTTPError as error:
            if not self.dropped:
                _log.warning(
                    "cannot forward to %s: %s (said once; requests are kept on disk all the same)", self.url, error
                )
            self.dropped += 1
