"""Locust as a process of its own (imported here it would patch our sockets), against servers in this one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    traceparent: str | None
    body: dict[str, Any]


@dataclass
class FakeWorld:
    """A shop that answers anything (`checkout_status` to checkouts), and a collector, behind real sockets."""

    checkout_status: int = 201
    slow_s: float = 0.0
    collector_status: int = 200
    refused_exports: int = 0
    requests: list[Seen] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    shop_url: str = ""
    otlp_url: str = ""

    def traces_seen(self) -> set[str]:
        """Trace and span ids in the headers of requests."""
        return {ids_of(request.traceparent) for request in self.requests if request.traceparent}

    def traces_sent(self) -> set[str]:
        """Trace and span ids of exported spans."""
        return {span["ids"] for span in self.spans}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        body = handler.rfile.read(length)
        traceparent = handler.headers.get("traceparent")
        self.requests.append(Seen(handler.command, handler.path, traceparent, json.loads(body or b"{}")))
        time.sleep(self.slow_s)
        status = self.checkout_status if handler.path == "/checkout" else 200
        reply(handler, status, json.dumps([{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]).encode())

    def collect(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if self.collector_status != 200:
            self.refused_exports += 1
            reply(handler, self.collector_status, b"")
            return
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                values = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}
                self.spans.append(
                    {
                        "service": about["service.name"],
                        "name": span.name,
                        "kind": span.kind,
                        "ids": f"{span.trace_id.hex()}-{span.span_id.hex()}",
                        "parent": span.parent_span_id.hex(),
                        "attributes": values,
                    }
                )
        reply(handler, 200, b"")


def ids_of(traceparent: str) -> str:
    """`<trace id>-<span id>`; also checks that the header is one, and sampled."""
    version, trace_id, span_id, flags = traceparent.split("-")
    assert (version, len(trace_id), len(span_id), int(flags, 16) & 1) == ("00", 32, 16, 1)
    return f"{trace_id}-{span_id}"


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def world() -> Iterator[FakeWorld]:
    world = FakeWorld()
    with serving(world.answer) as world.shop_url, serving(world.collect) as world.otlp_url:
        yield world


@contextmanager
def locust(
    world: FakeWorld, *options: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Headless Locust with this project's scenario; killed at the end if it still runs."""
    scenario = find_spec("scenarios.checkout")
    assert scenario is not None
    assert scenario.origin is not None
    command = [sys.executable, "-P", "-m", "locust", "-f", scenario.origin, "--headless", "--only-summary"]
    process = subprocess.Popen(
        [*command, "--host", world.shop_url, "--loglevel", "WARNING", *options],
        env={"PATH": "/usr/bin:/bin", "OTEL_EXPORTER_OTLP_ENDPOINT": world.otlp_url} | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def eventually(ask: Callable[[], Answer], *, within_s: float = 20) -> Answer:
    """The first truthy answer; the last answer when time is up, for the assertion to show."""
    deadline_s = time.monotonic() + within_s
    while not (answer := ask()) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return answer


def progress_of(file: Path) -> dict[str, int]:
    return dict(json.loads(file.read_text())) if file.exists() else {"requests": 0, "failures": 0, "users": 0}
