"""The embedded Toxiproxy-compatible server as a whole: starts, says that it is ready, and stops on a signal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import uvloop

from faults.proxy.address import BACKLOG, Address, bound_address, listening_socket, resolve
from faults.proxy.api import Api
from faults.proxy.collection import Collection
from faults.proxy.http_server import HttpConnection
from faults.proxy.metrics import Traffic
from faults.proxy.poller import Poller
from faults.proxy.requests import read_population

__all__ = ["run", "serve", "serving"]


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", port: int = 8474, *, config: bytes | None = None, seed: int | None = None
) -> AsyncIterator[Address]:
    """The server, inside a running event loop, for as long as the context lasts. Port 0 takes a free one.

    `config` is what `POST /populate` takes. Raises `AddressError` when an address cannot be listened on, and
    `ApiError` for a config that cannot be read.
    """
    loop = asyncio.get_running_loop()
    traffic = Traffic()
    poller = Poller(loop)
    proxies = Collection(poller, Random(seed), traffic)
    connections: set[HttpConnection] = set()
    try:
        for request in read_population(config) if config is not None else ():
            await proxies.add_or_replace(request)
        sock = listening_socket((await resolve(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))[0])
        api = Api(proxies, traffic)
        http = await loop.create_server(lambda: HttpConnection(api.answer, connections), sock=sock, backlog=BACKLOG)
        try:
            yield bound_address(sock)
        finally:
            http.close()
            for connection in list(connections):
                connection.abort()
    finally:
        proxies.stop()
        poller.close()


async def serve(
    host: str = "127.0.0.1", port: int = 8474, *, config: bytes | None = None, seed: int | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Prints `ready http://HOST:PORT` once requests are accepted."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serving(host, port, config=config, seed=seed) as address:
        sys.stdout.write(f"ready http://{address}\n")
        sys.stdout.flush()
        await stopped.wait()


def run(host: str = "127.0.0.1", port: int = 8474, *, config: bytes | None = None, seed: int | None = None) -> None:
    """`serve` on an event loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(host, port, config=config, seed=seed))
