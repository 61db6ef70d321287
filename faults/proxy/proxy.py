"""One proxy: it listens, joins every client to a new upstream connection, and can be stopped and started again."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from random import Random
from time import monotonic_ns

from faults.proxy.address import bound_address, listening_socket, literal, resolve, resolve_listen
from faults.proxy.connection import Connection
from faults.proxy.dial import Dial
from faults.proxy.endpoint import Endpoint
from faults.proxy.errors import AddressError
from faults.proxy.link import Link
from faults.proxy.metrics import Traffic
from faults.proxy.poller import Poller
from faults.proxy.toxic_chain import ToxicChain

__all__ = ["Proxy"]

ACCEPTS_PER_TURN = 64
ACCEPT_PAUSE_NS = 100_000_000
"""How long to wait before accepting again when this process has no descriptor left."""


class Proxy:
    """`listen` is what was asked for until it started, and the address really bound from then on."""

    def __init__(self, name: str, listen: str, upstream: str, poller: Poller, random: Random, traffic: Traffic) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.enabled = False
        self.toxics = ToxicChain()
        self._poller = poller
        self._random = random
        self._traffic = traffic
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._arriving: set[_Arrival] = set()

    async def start(self) -> None:
        """Listen. Raises `AddressError`, worded as the original's, when that fails."""
        if self.enabled:
            return
        try:
            address = await resolve_listen(self.listen)
        except AddressError as error:
            raise AddressError(f"listen tcp: {error}") from None
        self._listener = listening_socket(address)
        self.listen = str(bound_address(self._listener))
        self._poller.add_listener(self._listener.fileno(), self._accept)
        self.enabled = True

    def stop(self) -> None:
        """Refuse new clients and close every connection at once."""
        self.enabled = False
        if self._listener is not None:
            self._poller.forget(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for arrival in list(self._arriving):
            arrival.cancel()
        for connection in list(self._connections):
            connection.close()

    async def differs(self, listen: str, upstream: str) -> bool:
        """Whether these addresses ask for something else than this proxy has."""
        return self.listen != str(await resolve_listen(listen)) or self.upstream != upstream

    async def update(self, listen: str, upstream: str, *, enabled: bool) -> None:
        """Move to other addresses (which ends every connection), enable or disable."""
        if await self.differs(listen, upstream):
            self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled and not self.enabled:
            await self.start()
        elif self.enabled and not enabled:
            self.stop()

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def _accept(self, _event: int) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if self._listener is None:
                return
            try:
                sock, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._pause_accepting(self._listener)
                    return
                continue  # the client has gone already
            sock.settimeout(0)
            arrival = _Arrival(sock, self._poller, self._join, self._arriving.discard)
            self._arriving.add(arrival)
            arrival.dial(self.upstream)

    def _pause_accepting(self, listener: socket.socket) -> None:
        self._poller.mute(listener.fileno(), muted=True)

        def resume() -> None:
            if self._listener is listener:
                self._poller.mute(listener.fileno(), muted=False)

        self._poller.at(monotonic_ns() + ACCEPT_PAUSE_NS, resume)

    def _join(self, client: socket.socket, upstream: socket.socket) -> None:
        connection = Connection(
            Endpoint(client, self._poller),
            Endpoint(upstream, self._poller),
            self.toxics,
            self._poller,
            self._random,
            self._count,
            self._connections.discard,
        )
        self._connections.add(connection)
        connection.start()

    def _count(self, link: Link) -> None:
        self._traffic.add(link.direction, self.name, self.listen, self.upstream, link.received_bytes, link.sent_bytes)


class _Arrival:
    """A client whose upstream is being connected. Nothing is read from it yet."""

    def __init__(
        self,
        client: socket.socket,
        poller: Poller,
        on_connected: Callable[[socket.socket, socket.socket], None],
        on_done: Callable[[_Arrival], None],
    ) -> None:
        self._client = client
        self._poller = poller
        self._on_connected = on_connected
        self._on_done = on_done
        self._lookup: asyncio.Task[None] | None = None
        self._dial: Dial | None = None

    def dial(self, upstream: str) -> None:
        try:
            known = literal(upstream)
        except AddressError:
            self._failed()
            return
        if known is not None:
            self._dial = Dial((known,), self._poller, self._connected, self._failed)
            self._dial.start()
        else:
            self._lookup = asyncio.get_running_loop().create_task(self._resolve(upstream))

    async def _resolve(self, upstream: str) -> None:
        try:
            addresses = await resolve(upstream)
        except AddressError:
            self._failed()
            return
        self._dial = Dial(addresses, self._poller, self._connected, self._failed)
        self._dial.start()

    def cancel(self) -> None:
        if self._lookup is not None:
            self._lookup.cancel()
        if self._dial is not None:
            self._dial.cancel()
        self._failed()

    def _connected(self, upstream: socket.socket) -> None:
        self._on_done(self)
        self._on_connected(self._client, upstream)

    def _failed(self) -> None:
        self._on_done(self)
        self._client.close()
