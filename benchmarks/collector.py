"""Receiving: spans acknowledged per CPU-second of the receiver, side by side with Jaeger.

    make peers; python -m benchmarks.collector [--rounds 5] [--seconds 4]

Four client processes send prepared batches of 512 spans over keep-alive connections and wait for each answer. The
receiver's CPU time (user + system, all its threads) is read before and after by psutil; what the clients
burn does not count. The receivers take turns, round by round; medians are printed. See benchmarks/collector.md.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console
from rich.table import Table

from peers import jaeger

BATCH_SPANS = 512
TRACE_SPANS = 16
CLIENTS = 4
PREPARED = 50  # different batches of each client, sent over and over
ATTRIBUTES = {
    "http.request.method": "GET",
    "server.address": "127.0.0.1",
    "url.path": "/products/17",
    "user.tier": "gold",
}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass(frozen=True)
class Receiver:
    name: str
    pid: int
    grpc: str
    http: str


@dataclass(frozen=True)
class Row:
    spans_per_cpu_second: float
    spans_per_second: float
    rss_mb: float


def batch() -> bytes:
    """One request of 512 spans of about 230 bytes, in traces of 16."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "gateway"
    scope = resource.scope_spans.add()
    now, trace_id = time.time_ns(), b""
    for number in range(BATCH_SPANS):
        trace_id = os.urandom(16) if number % TRACE_SPANS == 0 else trace_id
        span = scope.spans.add(trace_id=trace_id, span_id=os.urandom(8), parent_span_id=os.urandom(8))
        span.name, span.kind = "GET /products/{id}", 3
        span.start_time_unix_nano, span.end_time_unix_nano = now + number, now + number + 1_000_000
        for key, value in ATTRIBUTES.items():
            span.attributes.add(key=key).value.string_value = value
        span.attributes.add(key="http.response.status_code").value.int_value = 200
    return request.SerializeToString()


def send_grpc(address: str, seconds: float) -> int:
    """Batches acknowledged by one client."""
    bodies, sent = [batch() for _ in range(PREPARED)], 0
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary(EXPORT)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            export(bodies[sent % PREPARED], timeout=10)
            sent += 1
    return sent


def send_http(address: str, seconds: float) -> int:
    """Batches acknowledged by one client."""
    bodies, sent = [batch() for _ in range(PREPARED)], 0
    with httpx.Client(headers={"content-type": "application/x-protobuf"}) as client:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            client.post(f"http://{address}/v1/traces", content=bodies[sent % PREPARED]).raise_for_status()
            sent += 1
    return sent


def measure(pool: multiprocessing.pool.Pool, receiver: Receiver, protocol: str, seconds: float) -> Row:
    process = psutil.Process(receiver.pid)
    send, address = (send_grpc, receiver.grpc) if protocol == "grpc" else (send_http, receiver.http)
    pool.starmap(send, [(address, 0.3)] * CLIENTS)
    before = sum(process.cpu_times()[:2])
    spans = BATCH_SPANS * sum(pool.starmap(send, [(address, seconds)] * CLIENTS))
    cpu_seconds = sum(process.cpu_times()[:2]) - before
    return Row(spans / cpu_seconds, spans / seconds, process.memory_info().rss / 1e6)


@contextlib.contextmanager
def tracegap(directory: Path) -> Iterator[Receiver]:
    command = [sys.executable, "-m", "collector", "-o", str(directory), "--grpc-port", "0", "--http-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = dict(word.split("=") for word in process.stdout.readline().split()[1:])
        try:
            yield Receiver("tracegap", process.pid, addresses["grpc"], addresses["http"])
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    rows: dict[tuple[str, str], list[Row]] = {}
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(CLIENTS))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receivers = [stack.enter_context(tracegap(directory / "otlp"))]
        if jaeger.BINARY.exists():
            original = stack.enter_context(jaeger.jaeger(directory))
            receivers.append(Receiver("Jaeger", original.pid, original.grpc, original.http))
        for _ in range(options.rounds):
            for protocol in ("grpc", "http"):
                for receiver in receivers:
                    row = measure(pool, receiver, protocol, options.seconds)
                    rows.setdefault((protocol, receiver.name), []).append(row)
    table = Table("protocol", "receiver", "spans per CPU-second", "spans per second", "resident MB, first to last")
    for (protocol, name), measured in sorted(rows.items()):
        table.add_row(
            protocol, name,
            f"{statistics.median(r.spans_per_cpu_second for r in measured):,.0f}",
            f"{statistics.median(r.spans_per_second for r in measured):,.0f}",
            f"{measured[0].rss_mb:.0f} to {measured[-1].rss_mb:.0f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
