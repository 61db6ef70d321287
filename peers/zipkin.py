"""Zipkin with memory storage on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from peers.jaeger import free_port

__all__ = ["is_here", "zipkin"]

JAR = Path(__file__).parent.parent / ".peers/zipkin/zipkin.jar"
DEADLINE_S = 150.0


def is_here() -> bool:
    """Whether there is both a Zipkin and a Java to run it."""
    return JAR.is_file() and shutil.which("java") is not None


@contextlib.contextmanager
def zipkin(directory: Path) -> Iterator[str]:
    """Start it, wait until it is healthy, end it; `directory` is for its log. Gives `host:port`.

    Raises:
        RuntimeError: it does not come up; with the end of its log.
    """
    address = f"127.0.0.1:{free_port()}"
    environment = {"QUERY_PORT": address.rpartition(":")[2], "SERVER_ADDRESS": "127.0.0.1", "PATH": os.environ["PATH"]}
    command = [shutil.which("java") or "java", "-Xmx256m", "-XX:+UseSerialGC", "-jar", str(JAR)]
    log = directory / "zipkin.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            _await_health(f"http://{address}/health", process, log)
            yield address
        finally:
            process.terminate()


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.3)
    raise RuntimeError(f"Zipkin does not come up: {log.read_text()[-2000:]}")
