"""One socket of a relayed connection: non-blocking reads and writes, what could not be written yet, and its end."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable

from faults.proxy.poller import HUNG_UP, READABLE, WRITABLE, Poller

__all__ = ["BUFFER", "CHUNK_BYTES", "Endpoint"]

CHUNK_BYTES = 32 * 1024
"""Largest chunk that toxics see, as in the original."""

BUFFER = memoryview(bytearray(128 * 1024))
"""Where data lies between a read and the write right after it. One for all: nothing stays in it. It also bounds what
a connection whose reader is slow keeps waiting: once this much per direction."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def _nothing() -> None:
    pass


class Endpoint:
    """A connected socket. `on_readable`, `on_flushed` and `on_closed` tell its connection; each may be called any time.

    `readable` says that a read may find something. It stays up until a read found the socket empty, because the
    poller reports each arrival once.
    """

    __slots__ = (
        "_close_when_flushed",
        "_poller",
        "_send",
        "_sock",
        "_unsent",
        "closed",
        "hung_up",
        "on_closed",
        "on_flushed",
        "on_readable",
        "readable",
        "recv",
        "recv_into",
    )

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self._sock = sock
        self._poller = poller
        self._send = sock.send
        self.recv = sock.recv
        self.recv_into = sock.recv_into
        self._unsent: deque[memoryview] = deque()
        self._close_when_flushed = False
        self.readable = True
        self.hung_up = False
        self.closed = False
        self.on_readable: Callable[[], None] = _nothing
        self.on_flushed: Callable[[], None] = _nothing
        self.on_closed: Callable[[], None] = _nothing

    def watch(self) -> None:
        """Have the poller report to this endpoint."""
        self._poller.add_stream(self._sock.fileno(), self._on_event)

    def has_room(self) -> bool:
        """Whether everything given so far is with the kernel."""
        return not self._unsent

    def write(self, data: bytes | memoryview) -> bool:
        """Send, keeping a copy of what the kernel does not take; False when the connection is lost."""
        if self._unsent:
            self._unsent.append(memoryview(bytes(data)))
            return True
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return False
        if sent < len(data):
            self._unsent.append(memoryview(bytes(data[sent:])))
        return True

    def close_when_flushed(self) -> None:
        """Close as soon as everything is with the kernel."""
        if self._unsent:
            self._close_when_flushed = True
        else:
            self.close()

    def reset_on_close(self) -> None:
        """Have closing send RST and drop what the kernel has not sent."""
        if not self.closed:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    def close(self) -> None:
        """Close at once, dropping what was not sent."""
        if self.closed:
            return
        self.closed = True
        self._unsent.clear()
        self._poller.forget(self._sock.fileno())
        self._sock.close()
        self.on_closed()
        self.on_readable = self.on_flushed = self.on_closed = _nothing

    def _on_event(self, event: int) -> None:
        if event & WRITABLE and self._unsent:
            self._flush()
        if event & READABLE and not self.closed:
            if event & HUNG_UP:
                self.hung_up = True
            self.readable = True
            self.on_readable()

    def _flush(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                sent = self._send(unsent[0])
                if sent < len(unsent[0]):
                    unsent[0] = unsent[0][sent:]
                    return
                unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if self._close_when_flushed:
            self.close()
        else:
            self.on_flushed()
