"""The collector and the SDK of another language: OpenTelemetry JS, unchanged, with each of its three exporters."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.sources import read
from tests.collector.conftest import Collector

MODULES = Path(__file__).parents[2] / ".peers" / "node" / "node_modules"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        shutil.which("node") is None or not (MODULES / "@opentelemetry" / "sdk-trace-node").is_dir(),
        reason="node or its OpenTelemetry SDK is absent; `make peers` installs the SDK with npm",
    ),
]

SCRIPT = """
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { trace, context, SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const [kind, url] = process.argv.slice(1);
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
const exporter = new OTLPTraceExporter({ url, compression: kind === "http" ? "none" : "gzip" });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "till" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("test");
for (let n = 0; n < 50; n++) {
  const parent = tracer.startSpan("POST /pay", { kind: SpanKind.SERVER, attributes: { "order.id": n } });
  const child = tracer.startSpan("charge", { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), parent));
  child.recordException(new RangeError("no money"));
  child.setStatus({ code: SpanStatusCode.ERROR, message: "declined" });
  child.end();
  parent.end();
}
provider.shutdown().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.parametrize("exporter", ["proto", "http", "grpc"])
def test_the_javascript_sdk_finds_everything_stored(running: Collector, exporter: str) -> None:
    """HTTP with protobuf (gzip), HTTP with JSON, gRPC: a hundred spans each, with parents, kinds and errors."""
    url = f"http://{running.grpc}" if exporter == "grpc" else f"{running.http}/v1/traces"
    script = subprocess.run(
        ["node", "-e", SCRIPT, exporter, url],
        cwd=MODULES.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (script.returncode, script.stderr) == (0, "")
    spans = read([str(running.directory)]).spans.to_pylist()
    parents = {span["span_id"]: span for span in spans if span["kind"] == 2}
    children = [span for span in spans if span["kind"] == 3]
    assert (len(parents), len(children)) == (50, 50)
    assert {dict(span["attributes"])["order.id"] for span in parents.values()} == {str(n) for n in range(50)}
    assert all(parents[child["parent_span_id"]]["trace_id"] == child["trace_id"] for child in children)
    assert {(c["service"], c["name"], c["status"], c["error_type"]) for c in children} == {
        ("till", "charge", 2, "RangeError")
    }
