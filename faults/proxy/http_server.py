"""HTTP/1.1 for the interface: keep-alive, pipelining, and the limits and refusals of Go's server."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import httptools

from faults.proxy.api import Request, Response

__all__ = ["HttpConnection"]

MAX_HEADER_BYTES = (1 << 20) + 4096
MAX_BODY_BYTES = 64 << 20
READ_TIMEOUT_S = 15
IDLE_TIMEOUT_S = 60


class HttpConnection(asyncio.Protocol):
    """One client of the interface. Requests on it are answered one after the other."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]], open_connections: set[HttpConnection]) -> None:
        self._answer = answer
        self._open_connections = open_connections
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._closing = False
        self._forget_request()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._open_connections.add(self)
        self._allow(READ_TIMEOUT_S)

    def connection_lost(self, _error: Exception | None) -> None:
        self._open_connections.discard(self)
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if not self._headers_complete:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        else:
            if not self._headers_complete and self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def eof_received(self) -> bool:
        """A client that has sent all its requests still gets its answers."""
        if self._worker is None or self._worker.done():
            return False
        self._closing = True
        return True

    # the parser's side

    def on_message_begin(self) -> None:
        self._allow(READ_TIMEOUT_S)

    def _forget_request(self) -> None:
        self._target = bytearray()
        self._user_agent = b""
        self._body = bytearray()
        self._headers_complete = False
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"user-agent":
            self._user_agent = value
        elif name.lower() == b"expect" and value.lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        self._headers_complete = True

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        if self._closing:
            return
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            user_agent=self._user_agent.decode("latin-1"),
            body=bytes(self._body),
        )
        self._forget_request()
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._allow(None)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())

    # answering

    async def _work(self) -> None:
        while self._waiting:
            request, keep_alive = self._waiting.popleft()
            response = await self._answer(request)
            if self._transport is None or self._transport.is_closing():
                return
            self._transport.write(_encode(response, head=request.method == "HEAD", keep_alive=keep_alive))
            if not keep_alive or (self._closing and not self._waiting):
                self._closing = True
                self._transport.close()
                return
        self._allow(IDLE_TIMEOUT_S)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is not a request at all, and hang up."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        line = f"{status.value} {status.phrase}"
        self._transport.write(
            f"HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{line}".encode()
        )
        self._transport.close()

    def _allow(self, seconds: float | None) -> None:
        """Give the client this long until its next request is complete."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None and not self._closing:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """Hang up without an answer."""
        self._closing = True
        if self._worker is not None:
            self._worker.cancel()
        if self._transport is not None:
            self._transport.abort()


def _encode(response: Response, *, head: bool, keep_alive: bool) -> bytes:
    status = HTTPStatus(response.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if status not in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.MOVED_PERMANENTLY):
        lines.append(f"X-Toxiproxy-Request-Id: {secrets.token_hex(10)}")
    lines.append(f"Date: {formatdate(usegmt=True)}")
    if status is not HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(response.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    lines += ["", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + (b"" if head else response.body)
