"""Plain sockets on both sides of a proxy, and what a client saw: which bytes, when, and how it ended."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Ending = Literal["fin", "rst", "open"]


class Upstream:
    """A server whose every connection runs `behave` in a thread: by default it sends back what comes."""

    def __init__(self) -> None:
        self.behave: Callable[[socket.socket], None] = echo
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2000)
        self._threads: list[threading.Thread] = []
        self.address = "{}:{}".format(*self._listener.getsockname())

    def __enter__(self) -> Upstream:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for thread in self._threads:
            thread.join()
        for connection in self.connections:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections.append(connection)
                thread = threading.Thread(target=self._run, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.behave(connection)


def echo(connection: socket.socket) -> None:
    """Send everything back, and close when the client did."""
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()


def send_and_close(data: bytes) -> Callable[[socket.socket], None]:
    """Send this at once and close, without reading."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.close()

    return behave


def send_and_wait(data: bytes) -> Callable[[socket.socket], None]:
    """Send this at once and stay until the other side closes."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(65536):
            pass
        connection.close()

    return behave


class Sink:
    """Reads until the end, and remembers what came, when, and how it ended."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.arrivals: list[tuple[float, int]] = []
        self.ending: Ending = "open"
        self.ended = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                self.arrivals.append((time.monotonic(), len(data)))
                self.data += data
            self.ending = "fin"
        except ConnectionResetError:
            self.ending = "rst"
        finally:
            self.ended.set()


@dataclass(frozen=True)
class Received:
    """What a client got. Times are seconds since it began; None where nothing came."""

    data: bytes
    ending: Ending
    first_s: float | None
    last_s: float | None
    ended_s: float
    pieces: int


def connect(address: tuple[str, int], timeout_s: float = 30) -> socket.socket:
    sock = socket.create_connection(address, timeout=timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def receive(sock: socket.socket, *, began: float, expected: int | None = None, patience_s: float = 30) -> Received:
    """Read until the end, until so many bytes have come, or until patience is over."""
    data = bytearray()
    first_s = last_s = None
    pieces = 0
    ending: Ending = "open"
    sock.settimeout(patience_s)
    try:
        while expected is None or len(data) < expected:
            part = sock.recv(1 << 20)
            if not part:
                ending = "fin"
                break
            data += part
            pieces += 1
            last_s = time.monotonic() - began
            first_s = last_s if first_s is None else first_s
    except TimeoutError:
        pass
    except ConnectionResetError:
        ending = "rst"
    return Received(bytes(data), ending, first_s, last_s, time.monotonic() - began, pieces)


def exchange(address: tuple[str, int], data: bytes, *, expected: int | None = None, patience_s: float = 30) -> Received:
    """Connect, send, and receive as much as was sent (or as said)."""
    with connect(address) as sock:
        began = time.monotonic()
        sender = threading.Thread(target=_send, args=(sock, data))
        sender.start()
        try:
            return receive(
                sock, began=began, expected=len(data) if expected is None else expected, patience_s=patience_s
            )
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sender.join()


def _send(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)
