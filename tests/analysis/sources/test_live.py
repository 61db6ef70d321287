"""Running stores: stand-ins that page and fail on purpose, and the real ones."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.errors import UnreadableSource
from analysis.sources import read
from peers.jaeger import BINARY, jaeger
from peers.zipkin import is_here, zipkin
from tests.analysis.sources.exports import zipkin_of

Answer = Callable[[str, dict[str, str]], tuple[int, Any]]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server that answers GET with status and JSON; yields its host:port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = answer(parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()})
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def jaeger_trace(number: int, start_us: int) -> dict[str, Any]:
    span = {"traceID": f"{number + 1:x}", "spanID": "1", "operationName": "op", "startTime": start_us, "duration": 1}
    return {
        "traceID": f"{number + 1:x}",
        "spans": [span | {"processID": "p"}],
        "processes": {"p": {"serviceName": "a"}},
    }


def test_jaeger_pages_by_halving_the_time() -> None:
    """A store that gives at most 200 traces a query is asked again until all 1,000 are there, each once."""
    now_us = int(time.time() * 1e6)
    starts = [now_us - 1_000_000 * n for n in range(1000)]

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/api/services":
            return 200, {"data": ["a", "b", "jaeger"]}
        inside = [n for n, at in enumerate(starts) if int(query["start"]) <= at <= int(query["end"])]
        return 200, {"data": [jaeger_trace(n, starts[n]) for n in inside[: int(query["limit"])]]}

    with serving(answer) as address:
        said: list[str] = []
        result = read([f"jaeger+http://{address}"], progress=said.append)
        assert sorted(result.spans["start_ns"].to_pylist()) == sorted(at * 1000 for at in starts)
        assert any("400 traces" in line for line in said)
        limited = read([f"jaeger+http://{address}?limit=10&lookback=10m"])
        assert len(limited.spans) == 10
        assert "more than 10 traces" in limited.warnings[0]


def test_what_may_pass_is_tried_again() -> None:
    """A 503 is no reason to give up; a 404 is, in the store's own words."""
    answers = iter([503, 503])

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        status = next(answers, 200)
        return status, {"data": [jaeger_trace(1, 5)]} if status == 200 else "busy"

    with serving(answer) as address:
        assert len(read([f"jaeger+http://{address}?service=a"]).spans) == 1
    with (
        serving(lambda path, query: (404, {"message": "no such path"})) as address,
        pytest.raises(UnreadableSource, match=r"answered 404: .*no such path"),
    ):
        read([f"jaeger+http://{address}?service=a"])


def test_tempo_searches_then_fetches() -> None:
    """Tempo's search gives ids; each trace is fetched as OTLP with ids in base64."""
    span = {
        "traceId": "CvdlGRbNQ92ESOshHIAxnA==",
        "spanId": "AAAAAAAAAKs=",
        "startTimeUnixNano": "5",
        "kind": "SPAN_KIND_CLIENT",
    }
    asked: list[str] = []

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/tempo/api/search":
            asked.append(query["q"])
            return 200, {"traces": [{"traceID": "af7651916cd43dd8448eb211c80319c"}]}
        assert path == "/tempo/api/traces/af7651916cd43dd8448eb211c80319c"
        return 200, {"batches": [{"scopeSpans": [{"spans": [span]}]}]}

    with serving(answer) as address:
        table = read([f"tempo+http://{address}/tempo?service=a&operation=x"]).spans
    assert asked[0] == '{ resource.service.name = "a" && name = "x" }'
    assert (table["trace_id"][0].as_py().hex(), table["kind"][0].as_py()) == ("0af7651916cd43dd8448eb211c80319c", 3)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("jaeger+http://127.0.0.1:1?service=a", "cannot be reached"),
        ("jaeger+http://127.0.0.1:1?lookback=often", "expected a duration"),
        ("zipkin+http://127.0.0.1:1?limit=0", "expected a number of traces"),
        ("tempo+http://127.0.0.1:1?color=red", "unknown parameter color"),
    ],
)
def test_wrong_urls(url: str, reason: str) -> None:
    """One line that names the URL and what is wrong."""
    with pytest.raises(UnreadableSource, match=reason):
        read([url])


def shop_traffic() -> TracesData:
    """Twenty checkouts: a client call from gateway to payment, answered; some failed."""
    data = TracesData()
    chance = random.Random(3)
    now_ns = time.time_ns() // 1000 * 1000 - 10**9
    callers = data.resource_spans.add()
    callees = data.resource_spans.add()
    for holder, name in ((callers, "gateway"), (callees, "payment")):
        holder.resource.attributes.add(key="service.name").value.string_value = name
        holder.scope_spans.add()
    for n in range(20):
        trace_id, root, client, server = chance.randbytes(16), *(chance.randbytes(8) for _ in range(3))
        rows = ((callers, root, b"", 2, 0), (callers, client, root, 3, 10), (callees, server, client, 2, 20))
        for holder, span_id, parent, kind, inset_us in rows:
            span = holder.scope_spans[0].spans.add(
                trace_id=trace_id, span_id=span_id, parent_span_id=parent, name=f"op{kind}", kind=kind,
                start_time_unix_nano=now_ns + n * 10**6 + inset_us * 1000,
                end_time_unix_nano=now_ns + n * 10**6 + (900 - inset_us) * 1000,
            )  # fmt: skip
            span.attributes.add(key="order.id").value.string_value = str(n)
            if n % 5 == 0:
                span.status.code = 2
    return data


COMPARED = ("trace_id", "span_id", "parent_span_id", "service", "name", "kind", "start_ns", "end_ns", "status")


def compared(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(table[name].to_pylist() for name in COMPARED), strict=True))


def awaited(location: str, spans: int) -> pa.Table:
    """What a store has once it has so many spans: stores take a moment to index."""
    deadline = time.monotonic() + 30
    while True:
        table = read([location]).spans
        if len(table) >= spans or time.monotonic() > deadline:
            return table
        time.sleep(0.2)


@pytest.mark.peers
@pytest.mark.skipif(not BINARY.is_file(), reason="no Jaeger: run `make peers`")
def test_real_jaeger(tmp_path: Path) -> None:
    """Spans sent to the real Jaeger and read back are the spans that were sent."""
    data = shop_traffic()
    (tmp_path / "sent").write_bytes(data.SerializeToString())
    with jaeger(tmp_path) as store:
        sent = httpx.post(
            f"http://{store.http}/v1/traces",
            content=data.SerializeToString(),
            headers={"Content-Type": "application/x-protobuf"},
        )
        sent.raise_for_status()
        back = awaited(f"jaeger+http://{store.query}?lookback=10m", 60)
    assert compared(back) == compared(read([str(tmp_path / "sent")]).spans)


@pytest.mark.peers
@pytest.mark.skipif(not is_here(), reason="no Zipkin: run `make peers`, which needs Java and Maven")
def test_real_zipkin(tmp_path: Path) -> None:
    """The same through the real Zipkin, whose form has no word for an unset kind."""
    sent = read_sent(tmp_path)
    with zipkin(tmp_path) as address:
        response = httpx.post(f"http://{address}/api/v2/spans", json=[zipkin_of(row) for row in sent.to_pylist()])
        response.raise_for_status()
        back = awaited(f"zipkin+http://{address}?lookback=10m", 60)
    assert compared(back) == compared(sent)


def read_sent(tmp_path: Path) -> pa.Table:
    (tmp_path / "sent").write_bytes(shop_traffic().SerializeToString())
    return read([str(tmp_path / "sent")]).spans
