"""Reading into the span table, all columns: spans per second, and memory beyond the attributes.

    python -m benchmarks.reading [--spans N] [--forms otlp,json,jaeger,parquet] [--rich]

Prints a table. Each form is read three times in this process after one read that loads the compiled walk; the best
time counts.
"""

from __future__ import annotations

import argparse
import base64
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.sources import read, write_parquet

BATCH = 512
SERVICES = ("gateway", "payment", "inventory", "fulfillment", "email", "bank")
LEAN = {"http.request.method": "POST", "url.full": "http://127.0.0.1:18080/checkout", "server.address": "127.0.0.1",
        "server.port": 18080, "http.response.status_code": 200}  # fmt: skip
RICH = LEAN | {
    "url.scheme": "http",
    "network.protocol.version": "1.1",
    "url.path": "/checkout",
    "http.route": "/checkout",
    "user_agent.original": "python-requests/2.32",
    "client.address": "127.0.0.1",
    "client.port": 50_123,
    "order.id": "ord-000017",
}
READS = 3


def export(service: str, attributes: dict[str, str | int], chance: random.Random) -> TracesData:
    """One export request of BATCH spans."""
    data = TracesData()
    resource_spans = data.resource_spans.add()
    put(
        resource_spans.resource.attributes,
        {"service.name": service, "telemetry.sdk.language": "python", "host.name": "h"},
    )
    spans = resource_spans.scope_spans.add()
    for _ in range(BATCH):
        start_ns = 1_700_000_000 * 10**9 + chance.randrange(10**12)
        span = spans.spans.add(
            trace_id=chance.randbytes(16), span_id=chance.randbytes(8), parent_span_id=chance.randbytes(8),
            name=chance.choice(("POST /checkout", "GET /products", "SELECT", "charge")), kind=chance.randint(1, 5),
            start_time_unix_nano=start_ns, end_time_unix_nano=start_ns + chance.randrange(10**8), flags=256,
        )  # fmt: skip
        put(span.attributes, attributes)
    return data


def put(holder: Any, attributes: dict[str, str | int]) -> None:
    for key, value in attributes.items():
        setattr(holder.add(key=key).value, "int_value" if isinstance(value, int) else "string_value", value)


def otlp_json(data: TracesData) -> dict[str, Any]:
    document: dict[str, Any] = json_format.MessageToDict(data, use_integers_for_enums=True)
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            span[key] = base64.b64decode(span[key]).hex()
    return document


def jaeger_json(data: TracesData) -> dict[str, Any]:
    spans = otlp_json(data)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    service = data.resource_spans[0].resource.attributes[0].value.string_value
    return {
        "traceID": spans[0]["traceId"],
        "spans": [jaeger_span(span) for span in spans],
        "processes": {"p1": {"serviceName": service, "tags": []}},
        "warnings": None,
    }


def jaeger_span(span: dict[str, Any]) -> dict[str, Any]:
    tags = [
        {
            "key": "span.kind",
            "type": "string",
            "value": ("internal", "server", "client", "producer", "consumer")[span["kind"] - 1],
        }
    ]
    for attribute in span["attributes"]:
        ((kind, value),) = attribute["value"].items()
        number = kind == "intValue"
        tags.append(
            {"key": attribute["key"], "type": "int64" if number else "string", "value": int(value) if number else value}
        )
    start_ns, end_ns = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    reference = {"refType": "CHILD_OF", "traceID": span["traceId"], "spanID": span["parentSpanId"]}
    return {"traceID": span["traceId"], "spanID": span["spanId"], "flags": 1, "operationName": span["name"],
            "references": [reference], "startTime": start_ns // 1000, "duration": (end_ns - start_ns) // 1000,
            "tags": tags, "logs": [], "processID": "p1", "warnings": None}  # fmt: skip


def files(directory: Path, exports: list[TracesData], repeats: int) -> Iterator[tuple[str, Path]]:
    """The same spans in every form."""
    raw = [each.SerializeToString() for each in exports]
    frames = b"".join(len(each).to_bytes(4, "big") + each for each in raw)
    path = directory / "otlp.binpb"
    path.write_bytes(frames * repeats)
    yield "otlp", path
    path = directory / "otlp.json"
    lists = [each for data in exports for each in otlp_json(data)["resourceSpans"]]
    path.write_bytes(orjson.dumps({"resourceSpans": lists * repeats}))
    yield "json", path
    path = directory / "jaeger.json"
    path.write_bytes(orjson.dumps({"data": [jaeger_json(data) for data in exports] * repeats}))
    yield "jaeger", path
    path = directory / "spans.parquet"
    write_parquet(with_own_ids(read([str(directory / "otlp.binpb")]).spans), str(path))
    yield "parquet", path


def with_own_ids(table: pa.Table) -> pa.Table:
    """Ids and times that do not repeat: Parquet would make nothing of those that do."""
    chance = np.random.default_rng(1)
    starts = 1_700_000_000 * 10**9 + chance.integers(0, 10**12, len(table))
    own = {
        "trace_id": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), len(table), [None, pa.py_buffer(chance.bytes(16 * len(table)))]
        ),
        "span_id": pa.array(chance.integers(1, 2**63, len(table)).astype(np.uint64)),
        "parent_span_id": pa.array(chance.integers(1, 2**63, len(table)).astype(np.uint64)),
        "start_ns": pa.array(starts),
        "end_ns": pa.array(starts + chance.integers(0, 10**8, len(table))),
    }
    for name, column in own.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table


def measure(path: Path) -> tuple[int, float, float]:
    """Spans, best wall seconds and best CPU seconds of a read."""
    read([str(path)])
    wall_s, cpu_s = float("inf"), float("inf")
    for _ in range(READS):
        wall, cpu = time.perf_counter(), time.process_time()
        spans = len(read([str(path)]).spans)
        wall_s, cpu_s = min(wall_s, time.perf_counter() - wall), min(cpu_s, time.process_time() - cpu)
    return spans, wall_s, cpu_s


def bytes_beside_attributes(table: pa.Table) -> float:
    return float(table.drop_columns(["attributes"]).nbytes / len(table))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--spans", type=int, default=300_000)
    arguments.add_argument("--forms", default="otlp,json,jaeger,parquet")
    arguments.add_argument("--rich", action="store_true", help="13 attributes a span instead of 5")
    given = arguments.parse_args()
    chance = random.Random(1)
    exports = [export(service, RICH if given.rich else LEAN, chance) for service in SERVICES]
    repeats = max(given.spans // (BATCH * len(SERVICES)), 1)
    print("| form | bytes a span | spans/s | spans per CPU-second | table, bytes a span beside attributes |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for form, path in files(Path(directory), exports, repeats):
            if form in given.forms.split(","):
                spans, wall_s, cpu_s = measure(path)
                beside = bytes_beside_attributes(read([str(path)]).spans)
                size = path.stat().st_size / spans
                print(
                    f"| {form} | {size:.0f} | {spans / wall_s:,.0f} | {spans / cpu_s:,.0f} | {beside:.0f} |", flush=True
                )
    print(f"\npeak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


if __name__ == "__main__":
    main()
