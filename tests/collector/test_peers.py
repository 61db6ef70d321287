"""The collector among other people's programs: telemetrygen before it, Jaeger before it and behind it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import httpx
import pytest

from peers.jaeger import BINARY as JAEGER
from peers.jaeger import jaeger
from tests.collector.conftest import Collector, collector, request, stored_names

TELEMETRYGEN = JAEGER.with_name("telemetrygen")
needs_jaeger = pytest.mark.skipif(not JAEGER.exists(), reason="no Jaeger: `make peers` builds it where Go is present")
needs_telemetrygen = pytest.mark.skipif(
    not TELEMETRYGEN.exists(), reason="no telemetrygen: `make peers` builds it with Go"
)

pytestmark = pytest.mark.peers


def _within(seconds: float, condition) -> bool:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(met)


@needs_telemetrygen
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_telemetrygen_finds_everything_stored(running: Collector, protocol: str) -> None:
    """100 traces of two spans from the Go SDK, over either protocol."""
    address = running.grpc if protocol == "grpc" else running.http.removeprefix("http://")
    over = [] if protocol == "grpc" else ["--otlp-http"]
    command = [
        TELEMETRYGEN,
        "traces",
        "--otlp-insecure",
        "--otlp-endpoint",
        address,
        "--traces",
        "100",
        "--rate",
        "0",
        *over,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert len(stored_names(running.directory)) == 200


@needs_jaeger
def test_a_collector_in_front_passes_everything_on(tmp_path: Path) -> None:
    """Jaeger, which is an OpenTelemetry Collector inside, batches and forwards over gRPC: all spans arrive."""
    with collector(tmp_path / "otlp") as running, jaeger(tmp_path, forward_to_grpc=running.grpc) as front:
        for number in range(20):
            body = request(f"span {number}", span_id=(number + 1).to_bytes(8)).SerializeToString()
            headers = {"content-type": "application/x-protobuf"}
            httpx.post(f"http://{front.http}/v1/traces", content=body, headers=headers).raise_for_status()
        assert _within(10, lambda: len(stored_names(running.directory)) == 20)


@needs_jaeger
def test_forwarding_fills_a_jaeger(tmp_path: Path) -> None:
    """What is forwarded can be found in Jaeger's own API."""
    with jaeger(tmp_path) as behind, collector(tmp_path / "otlp", "--forward", f"http://{behind.http}") as running:
        message = request("checkout")
        message.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "gateway"
        body = message.SerializeToString()
        httpx.post(f"{running.http}/v1/traces", content=body, headers={"content-type": "application/x-protobuf"})
        trace = f"http://{behind.query}/api/traces/{b't'.hex() * 16}"
        assert _within(10, lambda: httpx.get(trace).status_code == 200)
        assert [span["operationName"] for span in httpx.get(trace).json()["data"][0]["spans"]] == ["checkout"]
