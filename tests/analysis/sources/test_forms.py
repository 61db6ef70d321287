"""Each form, read by the Python readers: what a person writes by hand and what the table then holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.errors import UnreadableSource
from analysis.sources import read, write_parquet
from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

TRACE = "0af7651916cd43dd8448eb211c80319c"
T0 = 1_700_000_000_000_000_000


def message(service: str = "gateway", **attributes: str | int | bool | float) -> TracesData:
    data = TracesData()
    resource_spans = data.resource_spans.add()
    put(resource_spans.resource.attributes, {"service.name": service, "host.name": "h1", "process.pid": 7})
    span = resource_spans.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=b"\0" * 7 + b"\x01", name="GET /", kind=3,
        start_time_unix_nano=T0, end_time_unix_nano=T0 + 5,
    )  # fmt: skip
    put(span.attributes, attributes)
    return data


def put(holder: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(holder.add(key=key).value, kind, value)


def framed(*messages: bytes) -> bytes:
    return b"".join(len(each).to_bytes(4, "big") + each for each in messages)


def one(path: Path, content: bytes | str | list[Any] | dict[str, Any]) -> dict[str, Any]:
    spans = rows(path, content)
    assert len(spans) == 1
    return spans[0]


def rows(path: Path, content: bytes | str | list[Any] | dict[str, Any]) -> list[dict[str, Any]]:
    file = path / "file"
    raw = content if isinstance(content, bytes) else content if isinstance(content, str) else json.dumps(content)
    file.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    table = read([str(file)]).spans
    assert table.schema.equals(SPAN_SCHEMA)
    table.validate(full=True)
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def test_otlp_message(tmp_path: Path) -> None:
    """One protobuf message: ids, times, resource and attributes as text."""
    span = one(tmp_path, message(a="x", b=2, c=True, d=0.5).SerializeToString())
    assert span["trace_id"].hex() == TRACE
    assert (span["span_id"], span["parent_span_id"], span["kind"]) == (1, 0, 3)
    assert (span["start_ns"], span["end_ns"]) == (T0, T0 + 5)
    assert (span["service"], span["host"], span["instance"]) == ("gateway", "h1", "h1:7")
    assert span["attributes"] == [("a", "x"), ("b", "2"), ("c", "true"), ("d", "0.5")]
    assert span["error_type"] is None
    assert span["payload_bytes"] is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"http.response.status_code": 502}, {"http_status": 502}),
        ({"http.status_code": 404}, {"http_status": 404}),
        ({"http.status_code": "nonsense"}, {"http_status": None}),
        ({"error.type": "timeout"}, {"error_type": "timeout"}),
        ({"rpc.grpc.status_code": 14}, {"error_type": "UNAVAILABLE"}),
        ({"rpc.grpc.status_code": 0}, {"error_type": None}),
        ({"rpc.response.status_code": "ABORTED"}, {"error_type": "ABORTED"}),
        ({"error.type": "x", "rpc.grpc.status_code": 14}, {"error_type": "x"}),
        ({"server.address": "db", "server.port": 5432}, {"address": "db:5432"}),
        ({"net.peer.name": "db", "net.peer.port": 5432}, {"address": "db:5432"}),
        ({"server.address": "db"}, {"address": "db"}),
        ({"http.url": "http://user:pw@127.0.0.1:80/x?y"}, {"address": "127.0.0.1:80"}),
        ({"url.full": "https://[::1]:8080/", "network.peer.address": "9.9.9.9"}, {"address": "[::1]:8080"}),
        ({"network.peer.address": "10.0.0.1", "network.peer.port": 1}, {"address": "10.0.0.1:1"}),
        ({"db.system.name": "postgresql"}, {"peer": "postgresql"}),
        ({"db.system": "redis"}, {"peer": "redis"}),
        ({"messaging.system": "nats", "peer.service": "broker"}, {"peer": "broker"}),
        ({"messaging.destination.name": "orders"}, {"destination": "orders"}),
        ({"messaging.destination": "orders"}, {"destination": "orders"}),
        ({"http.request.body.size": 3, "http.response.body.size": 4}, {"payload_bytes": 7}),
        ({"http.response_content_length": 4}, {"payload_bytes": 4}),
        ({"messaging.message.body.size": 9}, {"payload_bytes": 9}),
        ({"http.response.header.content-length": '["12"]'}, {"payload_bytes": 12}),
    ],
)
def test_conventions(tmp_path: Path, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Old and new conventions fill the same columns."""
    span = one(tmp_path, message(**attributes).SerializeToString())
    assert {column: span[column] for column in expected} == expected


def test_server_has_no_address(tmp_path: Path) -> None:
    """What a SERVER span says of itself is not where it went to."""
    data = message(**{"server.address": "me", "peer.service": "caller"})
    data.resource_spans[0].scope_spans[0].spans[0].kind = 2
    span = one(tmp_path, data.SerializeToString())
    assert (span["address"], span["peer"]) == (None, None)


def test_exception_and_status_message(tmp_path: Path) -> None:
    """A recorded exception gives the error type; it and the status message become attributes."""
    data = message()
    span = data.resource_spans[0].scope_spans[0].spans[0]
    put(span.events.add(name="exception").attributes, {"exception.type": "IOError", "exception.message": "gone"})
    span.status.code, span.status.message = 2, "failed"
    found = one(tmp_path, data.SerializeToString())
    assert (found["status"], found["error_type"]) == (2, "IOError")
    assert found["attributes"] == [
        ("exception.type", "IOError"), ("exception.message", "gone"), ("otel.status_description", "failed"),
    ]  # fmt: skip


def test_frames_and_cut_frame(tmp_path: Path) -> None:
    """Messages behind their lengths; the last one, cut short by a kill, is left out with a warning."""
    raw = message().SerializeToString()
    (tmp_path / "traces").write_bytes(framed(raw, raw) + framed(raw)[:-3])
    result = read([str(tmp_path / "traces")])
    assert len(result.spans) == 2
    assert "cut short" in result.warnings[0]


def test_run_directory(tmp_path: Path) -> None:
    """Of a run directory its `otlp` part is read: spans and logs, nothing beside it."""
    logs = LogsData()
    record = (
        logs.resource_logs.add()
        .scope_logs.add()
        .log_records.add(time_unix_nano=T0, trace_id=bytes.fromhex(TRACE), severity_number=17)
    )
    record.body.string_value = "no"
    (tmp_path / "otlp").mkdir()
    (tmp_path / "plan.yaml").write_text("name: x")
    (tmp_path / "otlp/traces-0000.binpb").write_bytes(framed(message().SerializeToString()))
    (tmp_path / "otlp/logs-0000.binpb").write_bytes(framed(logs.SerializeToString()))
    result = read([str(tmp_path)])
    assert result.logs.schema.equals(LOG_SCHEMA)
    assert result.logs.to_pylist() == [
        {"time_ns": T0, "trace_id": bytes.fromhex(TRACE), "span_id": None, "service": None, "severity": 17,
         "body": "no", "attributes": []}
    ]  # fmt: skip
    assert len(result.spans) == 1
    assert result.warnings == ()


OTLP_SPAN = {
    "traceId": TRACE,
    "spanId": "00000000000000aB",
    "name": "n",
    "startTimeUnixNano": str(T0),
    "endTimeUnixNano": T0,
}
OTLP = {"resourceSpans": [{"scopeSpans": [{"spans": [OTLP_SPAN]}]}]}


@pytest.mark.parametrize(
    "content",
    [
        OTLP,
        [OTLP],
        {"result": OTLP},
        {"trace": OTLP},
        {"batches": OTLP["resourceSpans"]},
        {
            "resource_spans": [
                {"scope_spans": [{"spans": [{"trace_id": TRACE, "span_id": "AB", "start_time_unix_nano": T0}]}]}
            ]
        },
        json.dumps(OTLP) + "\n" + json.dumps({"resourceLogs": []}),
        "\ufeff" + json.dumps(OTLP, indent=2),
        json.dumps(OTLP).replace(TRACE, "CvdlGRbNQ92ESOshHIAxnA==").replace("00000000000000aB", "AAAAAAAAAKs="),
    ],
)
def test_otlp_json_wrappings(tmp_path: Path, content: Any) -> None:
    """However OTLP/JSON is wrapped, named or its ids written, it is the same span."""
    span = one(tmp_path, content)
    assert (span["trace_id"].hex(), span["span_id"], span["start_ns"]) == (TRACE, 0xAB, T0)


def jaeger_span(span_id: str, **more: Any) -> dict[str, Any]:
    base = {"traceID": "ff", "spanID": span_id, "operationName": "op", "startTime": T0 // 1000, "duration": 7}
    return base | {"processID": "p1"} | more


JAEGER = {
    "traceID": "ff",
    "spans": [
        jaeger_span("1", tags=[{"key": "span.kind", "value": "client"}, {"key": "error", "value": True}]),
        jaeger_span("2", references=[
            {"refType": "FOLLOWS_FROM", "traceID": "ff", "spanID": "1"},
            {"refType": "CHILD_OF", "traceID": "ff", "spanID": "1"},
            {"refType": "CHILD_OF", "traceID": "ee", "spanID": "9"},
        ]),
    ],
    "processes": {"p1": {"serviceName": "s", "tags": [{"key": "hostname", "value": "h"}]}},
}  # fmt: skip


@pytest.mark.parametrize("content", [JAEGER, {"data": [JAEGER], "errors": None}, [JAEGER]])
def test_jaeger(tmp_path: Path, content: Any) -> None:
    """Microseconds; kind and status from tags; CHILD_OF within the trace is the parent, all else a link."""
    first, second = rows(tmp_path, content)
    assert (first["service"], first["host"], first["kind"], first["status"]) == ("s", "h", 3, 2)
    assert (first["start_ns"], first["end_ns"] - first["start_ns"]) == (T0, 7000)
    assert second["parent_span_id"] == 1
    assert [(link["trace_id"].hex()[-2:], link["span_id"]) for link in second["links"]] == [("ff", 1), ("ee", 9)]


def test_jaeger_error(tmp_path: Path) -> None:
    """An API answer that is an error is refused in its own words."""
    with pytest.raises(UnreadableSource, match="trace not found"):
        rows(tmp_path, {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]})


def zipkin_span(**more: Any) -> dict[str, Any]:
    return {"traceId": "ff", "id": "1", "name": "get", "timestamp": T0 // 1000, "duration": 9} | more


def test_zipkin_shared_id(tmp_path: Path) -> None:
    """Client and server half of one id become parent and child; children go to the half of their service."""
    client = zipkin_span(kind="CLIENT", localEndpoint={"serviceName": "a"}, remoteEndpoint={"serviceName": "b"})
    server = zipkin_span(kind="SERVER", shared=True, localEndpoint={"serviceName": "b"})
    inner = zipkin_span(id="2", parentId="1", localEndpoint={"serviceName": "b"})
    sibling = zipkin_span(id="3", parentId="1", localEndpoint={"serviceName": "a"})
    found = {
        (row["service"], row["kind"], row["span_id"]): row for row in rows(tmp_path, [client, server, inner, sibling])
    }
    (server_id,) = [span_id for service, kind, span_id in found if (service, kind) == ("b", 2)]
    assert server_id != 1
    assert found["b", 2, server_id]["parent_span_id"] == 1
    assert found["b", None, 2]["parent_span_id"] == server_id
    assert found["a", None, 3]["parent_span_id"] == 1
    assert found["a", 3, 1]["peer"] == "b"


def test_zipkin_server_half_alone(tmp_path: Path) -> None:
    """A shared id whose client half never came keeps its id and parent: nothing is invented."""
    span = one(tmp_path, [zipkin_span(kind="SERVER", shared=True, parentId="7", tags={"error": ""})])
    assert (span["span_id"], span["parent_span_id"], span["status"]) == (1, 7, 2)


def test_zipkin_resource_tags(tmp_path: Path) -> None:
    """Resource attributes that OpenTelemetry's exporters send as tags say where a span ran; else its address."""
    tags = {"host.name": "h", "service.instance.id": "i", "ip": "not of the resource"}
    local = {"serviceName": "a", "ipv4": "10.0.0.1"}
    span = one(tmp_path, [zipkin_span(localEndpoint=local, tags=tags)])
    assert (span["host"], span["instance"]) == ("h", "i")
    span = one(tmp_path, [zipkin_span(localEndpoint=local)])
    assert (span["host"], span["instance"]) == ("10.0.0.1", None)


def test_zipkin_without_timestamp(tmp_path: Path) -> None:
    """A span without any time is left out with a warning."""
    (tmp_path / "z").write_text(json.dumps([zipkin_span(), {"traceId": "ff", "id": "2"}]))
    result = read([str(tmp_path / "z")])
    assert len(result.spans) == 1
    assert "without timestamp" in result.warnings[0]


def test_console(tmp_path: Path) -> None:
    """The SDK's own console exporter, with other output between its objects."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    file = tmp_path / "console"
    with file.open("w") as out:
        provider = TracerProvider(resource=Resource({"service.name": "s"}))
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
        with provider.get_tracer("t").start_as_current_span("outer", start_time=T0) as outer:
            out.write("INFO: listening on [::]:8000 {not json}\n")
            with provider.get_tracer("t").start_as_current_span("inner", attributes={"a": 1}):
                pass
        provider.shutdown()
    inner, other = read([str(file)]).spans.to_pylist()
    assert (inner["name"], inner["service"], inner["attributes"]) == ("inner", "s", [("a", "1")])
    assert inner["parent_span_id"] == outer.get_span_context().span_id == other["span_id"]
    assert other["start_ns"] == T0


def test_compressed_and_named_in_many_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip and Zstandard, directory, glob and file: all give the same span; names say nothing."""
    raw = message().SerializeToString()
    (tmp_path / "a.json").write_bytes(gzip.compress(raw))
    (tmp_path / "b.txt").write_bytes(zstandard.compress(raw))
    (tmp_path / "c").write_bytes(raw)
    assert len(read([str(tmp_path)]).spans) == 3
    assert len(read([str(tmp_path / "[ab]*")]).spans) == 2
    cut = gzip.compress(raw * 50)
    (tmp_path / "d").write_bytes(cut[:-20])
    assert any("cut short" in line for line in read([str(tmp_path / "d")]).warnings)


def test_own_parquet_round_trip(tmp_path: Path) -> None:
    """What is written comes back equal, row for row."""
    (tmp_path / "in").write_bytes(framed(*[message(a="x", b=n).SerializeToString() for n in range(50)]))
    table = read([str(tmp_path / "in")]).spans
    write_parquet(table, str(tmp_path / "spans.parquet"))
    back = read([str(tmp_path / "spans.parquet")]).spans
    assert back.schema.equals(SPAN_SCHEMA)
    assert back.to_pylist() == table.to_pylist()


def test_foreign_parquet(tmp_path: Path) -> None:
    """Columns found by name, times by type; a number without a unit is refused until the mapping says it."""
    pq.write_table(
        pa.table({
            "TraceId": [TRACE], "SpanId": ["0b"], "SpanName": ["x"], "SpanKind": ["SPAN_KIND_SERVER"],
            "ServiceName": ["s"],
            "Timestamp": pa.array([T0 // 10**9], pa.timestamp("s")), "Duration": [5],
            "StatusCode": ["STATUS_CODE_ERROR"],
            "SpanAttributes": pa.array([[("http.status_code", "500")]], pa.map_(pa.string(), pa.string())),
        }), tmp_path / "clickhouse.parquet")  # fmt: skip
    span = read([str(tmp_path / "clickhouse.parquet")]).spans.to_pylist()[0]
    assert (span["service"], span["kind"], span["status"], span["http_status"]) == ("s", 2, 2, 500)
    assert (span["start_ns"], span["end_ns"]) == (T0, T0 + 5)

    pq.write_table(pa.table({"t": [TRACE], "span_id": ["1"], "begin": [T0 // 10**6], "duration": [2]}), tmp_path / "x")
    with pytest.raises(UnreadableSource, match="no column for trace_id"):
        read([str(tmp_path / "x")])
    with pytest.raises(UnreadableSource, match="'duration' has no unit"):
        read([str(tmp_path / "x")], columns={"trace_id": "t", "start_ns": "begin:ms"})
    mapping = {"trace_id": "t", "start_ns": "begin:ms", "duration_ns": "duration:s"}
    span = read([str(tmp_path / "x")], columns=mapping).spans.to_pylist()[0]
    assert (span["start_ns"], span["end_ns"]) == (T0, T0 + 2 * 10**9)
