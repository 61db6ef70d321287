"""Real parts for the tests of this room: Toxiproxy servers, and something to talk to behind them."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.plan import Plan, load_plan
from faults.toxiproxy import Toxiproxy
from tests.faults.proxy.servers import ORIGINAL, running

LINK = "gateway->payment"
OTHER = "payment->bank"


class _Answers(socketserver.BaseRequestHandler):
    """Every HTTP request gets the same answer, also several on one connection."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + b"x" * 16

    def handle(self) -> None:
        pending = b""
        with contextlib.suppress(OSError):
            while chunk := self.request.recv(65536):
                *questions, pending = (pending + chunk).split(b"\r\n\r\n")
                self.request.sendall(self.ANSWER * len(questions))


class _Upstream(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """`host:port` of a server that answers every HTTP request at once."""
    with _Upstream(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session", params=["embedded", pytest.param("original", marks=pytest.mark.peers)])
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a Toxiproxy server: the embedded one, and the original where it has been built."""
    if request.param == "original" and not ORIGINAL.exists():
        pytest.skip("the original is absent; `make peers` builds it with Go")
    with running(request.param) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def toxiproxy(server_url: str, upstream: str) -> Iterator[Toxiproxy]:
    """A server with two links, `gateway->payment` and `payment->bank`."""
    server = Toxiproxy(server_url)
    for link in (LINK, OTHER):
        server.create(link, upstream)
    yield server
    for name in server.proxies():
        server.delete(name)


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., Plan]:
    """Makes a plan from phases given as `name={"duration": ..., "faults": [...]}`; JSON is YAML."""

    def make(*, seed: int = 1, **phases: dict[str, Any]) -> Plan:
        described = [{"name": name, **phase} for name, phase in phases.items()]
        path = tmp_path / "plan.yaml"
        path.write_text(json.dumps({"name": "test", "seed": seed, "phases": described}))
        return load_plan(path, links=(LINK, OTHER))

    return make
