"""Calls from one service to another: pooled connections, a deadline on every hop, one way to say that a call failed."""

from __future__ import annotations

import logging

import httpcore
import httpx
from fastapi import HTTPException, status

__all__ = ["Peer"]

_KEEP_ALIVE_S = 3.0
"""Shorter than uvicorn's 5 s, so that no request is sent into a connection that the server is about to close."""

_logger = logging.getLogger(__name__)


class _WholeResponses(httpcore.AsyncConnectionPool):
    """Reads the body before it hands the response over.

    The client's span ends when the transport returns; without this the transfer of a large body would be outside of
    the call's span, and a narrow link would look like idle time in the caller.
    """

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        response = await super().handle_async_request(request)
        try:
            content = await response.aread()
        finally:
            await response.aclose()
        return httpcore.Response(
            response.status, headers=response.headers, content=content, extensions=response.extensions
        )


class Peer:
    """Another service under its address; `timeout_s` bounds each wait for it (connect at most 2 s)."""

    def __init__(self, name: str, base_url: str, *, timeout_s: float) -> None:
        self.name = name
        transport = httpx.AsyncHTTPTransport()
        transport._pool = _WholeResponses(max_connections=200, keepalive_expiry=_KEEP_ALIVE_S)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 2.0)),
        )

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """The peer's answer below 500; otherwise HTTPException: 504 when it was too slow, 502 for everything else."""
        try:
            response = await self._client.request(method, path, json=body)
        except httpx.TimeoutException as error:
            raise self._failed(status.HTTP_504_GATEWAY_TIMEOUT, "did not answer in time", error) from None
        except httpx.TransportError as error:
            raise self._failed(status.HTTP_502_BAD_GATEWAY, "cannot be reached", error) from None
        if response.status_code >= 500:
            raise self._failed(status.HTTP_502_BAD_GATEWAY, f"failed with {response.status_code}", None)
        return response

    def _failed(self, code: int, what: str, error: Exception | None) -> HTTPException:
        _logger.error("%s %s", self.name, what, extra={"peer": self.name, "reason": repr(error) if error else what})
        return HTTPException(code, f"{self.name} {what}")

    async def close(self) -> None:
        await self._client.aclose()
