"""Dropping the first connections: a relay that Toxiproxy is led to for as long as the fault lasts.

Toxiproxy itself cannot count connections. So the proxy's upstream becomes this relay, which resets the first N
connections that reach it and passes every later one on to the real upstream, both ways, with half-closed ends.
"""

from __future__ import annotations

import asyncio
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
        relays: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._dropped < self._drop:
                self._dropped += 1
                _reset(writer)
                self._on_drop(self._dropped)
                return
            relay = asyncio.create_task(self._relay(reader, writer))
            relays.add(relay)
            relay.add_done_callback(relays.discard)

        try:
            server = await asyncio.start_server(accept, self._host, 0)
        except OSError as error:
            self._listening.set_exception(error)
            return
        self._listening.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            _reset(writer)
            return
        try:
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))
        except OSError:
            _reset(writer)
            _reset(upstream_writer)
        finally:
            writer.close()
            upstream_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with a TCP reset instead of an orderly end."""
    ended = writer.get_extra_info("socket")
    ended.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
