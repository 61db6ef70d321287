"""Dropping the first connections: a relay that Toxiproxy is led to for as long as the fault lasts.

Toxiproxy itself cannot count connections. So the proxy's upstream becomes this relay, which resets the first N
connections that reach it and passes every later one on to the real upstream, both ways, with half-closed ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType

__all__ = ["Gate"]

CHUNK_BYTES = 64 * 1024
START_S = 5.0


class Gate:
    """A relay on a thread of its own.

    Args:
        upstream: where connections go that are let through.
        drop: how many of the first ones are reset.
        on_drop: called on the gate's thread with the number of connections dropped so far.
        host: the address to listen on; Toxiproxy has to reach it.
    """

    def __init__(
        self, upstream: tuple[str, int], drop: int, on_drop: Callable[[int], None], *, host: str = "127.0.0.1"
    ) -> None:
        self._upstream = upstream
        self._drop = drop
        self._on_drop = on_drop
        self._host = host
        self._dropped = 0
        self._listening: Future[int] = Future()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="gate", daemon=True)

    def start(self) -> str:
        """Listen; returns `host:port`."""
        self._thread.start()
        return f"{self._host}:{self._listening.result(START_S)}"

    def stop(self) -> None:
        """Close every connection and the listener."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(START_S)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            listener = socket.create_server((self._host, 0))
        except OSError as error:
            self._listening.set_exception(error)
            return
        listener.settimeout(0)
        relays: dict[asyncio.Task[None], socket.socket] = {}
        with listener:
            # Not `sock_accept`: cancelled, it loses a connection that it has just accepted, and nobody closes it.
            self._loop.add_reader(listener, self._accept, listener, relays)
            self._listening.set_result(listener.getsockname()[1])
            await self._stop.wait()
            self._loop.remove_reader(listener)
        left = dict(relays)
        for relay in left:
            relay.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for connection in left.values():
            connection.close()  # also of a relay that had not begun

    def _accept(self, listener: socket.socket, relays: dict[asyncio.Task[None], socket.socket]) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = listener.accept()
            connection.settimeout(0)
            if self._dropped < self._drop:
                _reset(connection)
                self._dropped += 1
                self._on_drop(self._dropped)
                return
            relay = asyncio.create_task(self._relay(connection))
            relays[relay] = connection
            relay.add_done_callback(relays.pop)

    async def _relay(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        ends = [writer]
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
            ends.append(upstream_writer)
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))
        except OSError:
            for end in ends:
                _reset_on_close(end.get_extra_info("socket"))
                end.transport.abort()
        finally:
            for end in ends:
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


def _reset(connection: socket.socket) -> None:
    _reset_on_close(connection)
    connection.close()


def _reset_on_close(connection: socket.socket) -> None:
    """End with a TCP reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
