"""Jaeger 2 with memory storage on free loopback ports, with only the parts that a test or a benchmark needs."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["BINARY", "Jaeger", "jaeger"]

BINARY = Path(__file__).parent.parent / ".peers/bin/jaeger"
DEADLINE_S = 30.0


@dataclass(frozen=True)
class Jaeger:
    """Addresses are `host:port`; `query` serves `/api/traces`."""

    pid: int
    grpc: str
    http: str
    query: str


@contextlib.contextmanager
def jaeger(directory: Path, *, forward_to_grpc: str | None = None) -> Iterator[Jaeger]:
    """Start it, wait until it answers, end it.

    Args:
        directory: for its configuration and its log.
        forward_to_grpc: `host:port` of another OTLP receiver that gets everything as well.

    Raises:
        RuntimeError: it does not come up; with the end of its log.
    """
    grpc, http, query, query_grpc = (f"127.0.0.1:{free_port()}" for _ in range(4))
    path, log = directory / "jaeger.json", directory / "jaeger.log"
    path.write_text(json.dumps(_configuration(grpc, http, query, query_grpc, forward_to_grpc)))
    with (
        log.open("wb") as output,
        subprocess.Popen([str(BINARY), "--config", str(path)], stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            for address in (http, query):
                _await_listening(address, process, log)
            yield Jaeger(process.pid, grpc, http, query)
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configuration(grpc: str, http: str, query: str, query_grpc: str, forward_to_grpc: str | None) -> dict[str, Any]:
    exporters: dict[str, Any] = {"jaeger_storage_exporter": {"trace_storage": "memory"}}
    if forward_to_grpc:
        exporters["otlp"] = {"endpoint": forward_to_grpc, "tls": {"insecure": True}}
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": list(exporters)}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": query},
                "grpc": {"endpoint": query_grpc},
            },
        },
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": grpc}, "http": {"endpoint": http}}}},
        "processors": {"batch": {"timeout": "100ms"}},
        "exporters": exporters,
    }


def _await_listening(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Jaeger does not come up: {log.read_text()[-2000:]}")
