"""Connecting to an upstream without blocking, address after address."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable

from faults.proxy.address import Address, set_stream_options
from faults.proxy.poller import Poller

__all__ = ["Dial"]


class Dial:
    """One attempt to reach an upstream. Exactly one of the callbacks is called, unless it is cancelled before."""

    __slots__ = ("_addresses", "_on_connected", "_on_failed", "_poller", "_sock")

    def __init__(
        self,
        addresses: Iterable[Address],
        poller: Poller,
        on_connected: Callable[[socket.socket], None],
        on_failed: Callable[[], None],
    ) -> None:
        self._addresses = iter(addresses)
        self._poller = poller
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._sock: socket.socket | None = None

    def start(self) -> None:
        """Try the next address."""
        for address in self._addresses:
            try:
                sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            except OSError:
                continue
            if self._begin(sock, address):
                return
            sock.close()
        self._on_failed()

    def cancel(self) -> None:
        if self._sock is not None:
            self._poller.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _begin(self, sock: socket.socket, address: Address) -> bool:
        """Connect, at once when the peer is on this machine; False when this address refuses."""
        try:
            set_stream_options(sock)
            code = sock.connect_ex((address.ip, address.port))
        except OSError:
            return False
        if code not in (0, errno.EINPROGRESS):
            return False
        # A connection on this machine stands when `connect` returns, although it says that it is in progress.
        if code == 0 or _has_peer(sock):
            self._on_connected(sock)
            return True
        self._sock = sock
        self._poller.add_stream(sock.fileno(), self._on_event)
        return True

    def _on_event(self, _event: int) -> None:
        sock = self._sock
        if sock is None:
            return
        if _has_peer(sock):
            self._sock = None
            self._on_connected(sock)
        elif sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.cancel()
            self.start()


def _has_peer(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
