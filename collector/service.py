"""The collector as a process: both listeners on one event loop, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from collector.forwarding import Forwarder
from collector.grpc_server import start_grpc
from collector.http_server import http_app
from collector.receiver import Receiver

__all__ = ["Addresses", "Settings", "run", "serving"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Port 0 takes any free one."""

    directory: Path
    host: str = "127.0.0.1"
    grpc_port: int = 4317
    http_port: int = 4318
    forward: str | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    grpc: str
    http: str


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[Addresses, Receiver]]:
    """Both listeners up, on a directory. Raises OSError when an address or the directory is not to be had."""
    forwarder = Forwarder(settings.forward) if settings.forward else None
    receiver = Receiver(settings.directory, forward=forwarder)
    listener = _listen(settings.host, settings.http_port)
    grpc_server, grpc_port = await start_grpc(receiver, settings.host, settings.grpc_port)
    config = uvicorn.Config(
        http_app(receiver), log_level="warning", access_log=False, lifespan="off", ws="none", http="httptools"
    )
    config.load()
    http_server = uvicorn.Server(config)
    # The steps of uvicorn's own `serve`, less the signal handlers that it would take over.
    http_server.lifespan = config.lifespan_class(config)
    await http_server.startup([listener])
    host, http_port = listener.getsockname()[:2]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(http_server.main_loop())
        forwarding = tasks.create_task(forwarder.run()) if forwarder is not None else None
        try:
            yield Addresses(f"{settings.host}:{grpc_port}", f"{host}:{http_port}"), receiver
        finally:
            await grpc_server.stop(grace=1.0)
            http_server.should_exit = True
            await http_server.shutdown([listener])
            if forwarder is not None and forwarding is not None:
                await forwarder.drain(2.0)
                forwarding.cancel()
            receiver.close()


def run(settings: Settings, *, ready: Callable[[Addresses], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once both listeners take requests. Raises OSError."""
    # uvloop makes HTTP about twice as cheap; gRPC brings its own poller and runs on either loop.
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_signal(settings, ready))


async def _until_signal(settings: Settings, ready: Callable[[Addresses], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings) as (addresses, _):
        ready(addresses)
        await stop.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port} for HTTP: {error.strerror or error}") from error
    return listener
