"""The two servers under test, each a process of its own: the embedded one, and the original, built by `make peers`."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil

ROOT = Path(__file__).parents[3]
ORIGINAL = ROOT / ".peers" / "bin" / "toxiproxy-server"
START_S = 15


@dataclass
class Server:
    """A running Toxiproxy, one or the other."""

    name: str
    host: str
    port: int
    process: psutil.Process
    http: httpx.Client

    @property
    def is_original(self) -> bool:
        return self.name == "original"

    def send(self, method: str, path: str, body: bytes | dict[str, Any] | list[Any] | None = None) -> httpx.Response:
        """One request, answered or not: status codes are for the test to judge."""
        if isinstance(body, bytes) or body is None:
            return self.http.request(method, path, content=body)
        return self.http.request(method, path, json=body)

    def proxy(self, upstream: str, *, name: str = "link", enabled: bool = True) -> tuple[str, int]:
        """Make a proxy on a free port; where it listens."""
        body = {"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": enabled}
        answer = self.send("POST", "/proxies", body)
        assert answer.status_code == 201, answer.text
        host, port = answer.json()["listen"].rsplit(":", 1)
        return host, int(port)

    def toxic(
        self,
        kind: str,
        stream: str = "downstream",
        *,
        name: str = "",
        toxicity: float = 1.0,
        **attributes: int,
    ) -> str:
        """Add a toxic to the proxy `link`; its path."""
        body = {"name": name, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        answer = self.send("POST", "/proxies/link/toxics", body)
        assert answer.status_code == 200, answer.text
        return f"/proxies/link/toxics/{answer.json()['name']}"

    def clear(self) -> None:
        """Delete every proxy."""
        for name in self.http.get("/proxies").json():
            self.http.delete("/proxies/" + quote(name, safe=""))


@contextlib.contextmanager
def running(name: str) -> Iterator[Server]:
    """A server of its own, stopped at the end."""
    if name == "embedded":
        command = [sys.executable, "-m", "faults.proxy", "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
    else:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [ORIGINAL, "-port", str(port), "-proxy-metrics"],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"LOG_LEVEL": "fatal"},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=40) as http:
            _wait_until_it_answers(http)
            yield Server(name, "127.0.0.1", port, psutil.Process(process.pid), http)
    finally:
        process.terminate()
        process.wait(timeout=40)
        if process.stdout is not None:
            process.stdout.close()


def _wait_until_it_answers(http: httpx.Client) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            http.get("/version")
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
