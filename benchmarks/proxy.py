"""The embedded server beside the original Toxiproxy: throughput, added time, latency overshoot, bandwidth accuracy.

    python -m benchmarks.proxy [--rounds 5] [--seconds 2] [--only 16,new,latency]

Needs `make peers` (the original) and a C compiler (the load generator). Each proxy is pinned to the first core, the
generator, which is also the upstream, to the last. Within a round everything is measured in turns (no proxy, original,
embedded), the next round in the opposite order; what is printed is the median over rounds. CPU time per request is
measured too, because on a busy machine it is the number that stays.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import psutil

ROOT = Path(__file__).parents[1]
ORIGINAL = ROOT / ".peers" / "bin" / "toxiproxy-server"
GENERATOR = ROOT / ".peers" / "bin" / "proxy_load"
GENERATOR_SOURCE = ROOT / "benchmarks" / "proxy_load.c"


@dataclass(frozen=True)
class Row:
    """One kind of load: `name`, connections, request and response bytes, and what is special about it."""

    name: str
    connections: int
    response_bytes: int = 200
    new_connections: bool = False
    latency_ms: int = 0
    request_bytes: int = 100


ROWS = [
    Row("1 connection", 1),
    Row("16 connections", 16),
    Row("64 connections", 64),
    Row("new connection each", 16, new_connections=True),
    Row("1 MiB bodies", 4, response_bytes=1 << 20),
    Row("latency 5 ms", 64, latency_ms=5),
    Row("latency 50 ms", 64, latency_ms=50),
    Row("latency 500 ms", 64, latency_ms=500),
]
RATES_KB_S = [10, 100, 1_000, 10_000, 104_858]
"""From 10 KB/s to 100 MiB/s, in the toxic's unit of 1,000 bytes per second."""


@dataclass(frozen=True)
class Result:
    """One measurement of one row."""

    per_s: float
    p50_us: float
    p99_us: float
    bytes_per_s: float
    failures: int
    cpu_us: float


class Generator:
    """The C load generator, which is the upstream as well."""

    def __init__(self) -> None:
        if not GENERATOR.exists() or GENERATOR.stat().st_mtime < GENERATOR_SOURCE.stat().st_mtime:
            compiler = shutil.which("cc")
            if compiler is None:
                sys.exit("benchmarks.proxy: a C compiler (cc) is needed for the load generator")
            GENERATOR.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([compiler, "-O2", "-o", GENERATOR, GENERATOR_SOURCE], check=True)
        self.port = _free_port()
        self._process = subprocess.Popen(
            [GENERATOR, str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        psutil.Process(self._process.pid).cpu_affinity([_cores()[-1]])

    def run(self, port: int, row: Row, seconds: float, process: psutil.Process | None) -> Result:
        """Load one port for a while."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = (port, row.connections, seconds, row.request_bytes, row.response_bytes, int(row.new_connections))
        before_s = _cpu_s(process)
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        requests = max(said["requests"], 1)
        offset_us = row.latency_ms * 1000
        return Result(
            per_s=said["requests"] / said["seconds"],
            p50_us=said["p50_us"] - offset_us,
            p99_us=said["p99_us"] - offset_us,
            bytes_per_s=said["bytes"] / said["seconds"],
            failures=said["failures"],
            # A tenth of the run is not counted, but costs.
            cpu_us=(_cpu_s(process) - before_s) * 0.9e6 / requests,
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Contestant:
    """One proxy server with one proxy to the upstream."""

    def __init__(self, name: str, command: list[str | Path], api_port: int, upstream_port: int) -> None:
        self.name = name
        environment = os.environ | {"LOG_LEVEL": "fatal", "GOMAXPROCS": "1"}
        self._popen = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)
        self.process = psutil.Process(self._popen.pid)
        self.process.cpu_affinity([_cores()[0]])
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{api_port}", timeout=30)
        deadline = time.monotonic() + 15
        while True:
            try:
                self._http.get("/version")
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        body = {"name": "link", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream_port}"}
        self.port = int(self._http.post("/proxies", json=body).json()["listen"].rsplit(":", 1)[1])

    @contextlib.contextmanager
    def toxic(self, kind: str, **attributes: int) -> Iterator[None]:
        """With this toxic on responses."""
        self._http.post("/proxies/link/toxics", json={"type": kind, "attributes": attributes}).raise_for_status()
        yield
        self._http.post("/reset").raise_for_status()

    def latency(self, latency_ms: int) -> contextlib.AbstractContextManager[None]:
        return self.toxic("latency", latency=latency_ms) if latency_ms else contextlib.nullcontext()

    def close(self) -> None:
        self._popen.terminate()
        self._popen.wait(timeout=40)


def measure(rows: list[Row], rounds: int, seconds: float) -> None:
    """Every row through every contestant, in turns, printed row by row."""
    generator = Generator()
    with contextlib.closing(generator), servers_before(generator.port) as servers:
        for row in rows:
            results: dict[str, list[Result]] = {"direct": [], "original": [], "embedded": []}
            length_s = max(seconds, 8 * row.latency_ms / 1000)
            for number in range(rounds):
                for server in servers if number % 2 else servers[::-1]:
                    with server.latency(row.latency_ms):
                        results[server.name].append(generator.run(server.port, row, length_s, server.process))
                if not row.latency_ms:
                    results["direct"].append(generator.run(generator.port, row, length_s, None))
            _print_row(row, results)


@contextlib.contextmanager
def servers_before(upstream_port: int) -> Iterator[list[Contestant]]:
    """Both proxy servers, in front of one upstream."""
    commands: dict[str, list[str | Path]] = {
        "original": [ORIGINAL, "-port"],
        "embedded": [sys.executable, "-m", "faults.proxy", "--port"],
    }
    with contextlib.ExitStack() as stack:
        servers = []
        for name, command in commands.items():
            port = _free_port()
            servers.append(Contestant(name, [*command, str(port)], port, upstream_port))
            stack.callback(servers[-1].close)
        yield servers


def _print_row(row: Row, results: dict[str, list[Result]]) -> None:
    for name, measured in results.items():
        if measured:
            result = _medians(measured)
            print(
                f"| {row.name} | {name} | {result.per_s:,.0f} | {result.p50_us:,.0f} | {result.p99_us:,.0f} "
                f"| {result.bytes_per_s / 1e9:.2f} | {result.cpu_us:.1f} | {result.failures} |",
                flush=True,
            )


def _medians(measured: list[Result]) -> Result:
    return Result(
        per_s=median(one.per_s for one in measured),
        p50_us=median(one.p50_us for one in measured),
        p99_us=median(one.p99_us for one in measured),
        bytes_per_s=median(one.bytes_per_s for one in measured),
        failures=sum(one.failures for one in measured),
        cpu_us=median(one.cpu_us for one in measured),
    )


def measure_bandwidth(rounds: int, seconds: float) -> None:
    """Bytes that arrive over a time well inside a long transfer, against what the toxic was set to."""
    with _source() as port, servers_before(port) as servers:
        for rate_kb_s in RATES_KB_S:
            for server in servers:
                ratios = []
                for _ in range(rounds):
                    with server.toxic("bandwidth", rate=rate_kb_s):
                        ratios.append(_received_per_s(server.port, seconds) / (rate_kb_s * 1000))
                        # Removing a toxic from a connection that is just ending hangs the original for seconds.
                        time.sleep(0.5)
                print(f"| {rate_kb_s:,} KB/s | {server.name} | {100 * (median(ratios) - 1):+.2f} % |", flush=True)


@contextlib.contextmanager
def _source() -> Iterator[int]:
    """An upstream that sends zeros for as long as somebody reads, in a process of its own."""
    code = (
        "import socket\n"
        "listener = socket.create_server(('127.0.0.1', 0)); print(listener.getsockname()[1], flush=True)\n"
        "while True:\n"
        "    connection, _ = listener.accept()\n"
        "    try:\n"
        "        while True: connection.sendall(bytes(1 << 18))\n"
        "    except OSError: connection.close()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


def _received_per_s(port: int, seconds: float) -> float:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        warm_until = time.monotonic() + 0.3
        while time.monotonic() < warm_until:
            sock.recv(1 << 20)
        began, received = time.monotonic(), 0
        while (now := time.monotonic()) < began + seconds:
            received += len(sock.recv(1 << 20))
            last = time.monotonic()
        return received / (last - began if now > began else 1)


def _cpu_s(process: psutil.Process | None) -> float:
    """CPU seconds of all threads, to the nanosecond where the kernel tells."""
    if process is None:
        return 0.0
    tasks = Path(f"/proc/{process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxy", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--only", default="", help="rows whose name contains one of these words, comma-separated")
    arguments = parser.parse_args()
    if not ORIGINAL.exists():
        sys.exit("benchmarks.proxy: the original is absent; `make peers` builds it with Go")
    words = [word for word in arguments.only.split(",") if word]
    rows = [row for row in ROWS if not words or any(word in row.name for word in words)]
    print("| load | through | requests/s | p50 µs | p99 µs | GB/s | CPU µs/request | failures |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    measure(rows, arguments.rounds, arguments.seconds)
    if not words or "bandwidth" in words:
        print("\n| bandwidth | through | off by |\n|---|---|--:|")
        measure_bandwidth(min(arguments.rounds, 3), arguments.seconds)


if __name__ == "__main__":
    main()
