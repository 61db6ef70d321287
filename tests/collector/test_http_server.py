from __future__ import annotations

import gzip
import json
import zlib

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from analysis.sources import read
from tests.collector.conftest import Collector, request, stored_names

BOMB = gzip.compress(bytes(65 * 2**20), mtime=0)
PROTOBUF = {"content-type": "application/x-protobuf"}
OTLP_JSON = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {"spans": [{"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "name": "j"}]}
            ]
        }
    ]
}


def post(running: Collector, body: bytes, path: str = "/v1/traces", **headers: str) -> httpx.Response:
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(running.http + path, content=body, headers=PROTOBUF | extra)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_spans_are_on_disk_when_the_answer_comes(running: Collector, encoding: str, pack) -> None:  # type: ignore[no-untyped-def]
    """Each content encoding of OTLP/HTTP is taken, answered with an empty protobuf response, and stored."""
    answer = post(running, pack(request("checkout").SerializeToString()), content_encoding=encoding)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert stored_names(running.directory) == ["checkout"]


def test_json_is_stored_as_protobuf(running: Collector) -> None:
    """OTLP/JSON with hex ids in either case is answered in JSON and read back like any other."""
    answer = httpx.post(running.http + "/v1/traces", json=OTLP_JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    assert stored_names(running.directory) == ["j"]


def test_spans_without_ids_are_rejected_and_the_others_kept(running: Collector) -> None:
    """Partial success tells the sender how many were left out and why."""
    message = request("good")
    message.MergeFrom(request("bad", trace_id=b"short"))
    answer = ExportTraceServiceResponse.FromString(post(running, message.SerializeToString()).content)
    assert answer.partial_success.rejected_spans == 1
    assert "16-byte trace id" in answer.partial_success.error_message
    assert stored_names(running.directory) == ["good"]


@pytest.mark.parametrize(
    ("body", "path", "headers", "status", "says"),
    [
        (b"\xff" * 9, "/v1/traces", {}, 400, "ExportTraceServiceRequest"),
        (b"\xff" * 9, "/v1/logs", {}, 400, "ExportLogsServiceRequest"),
        (b"not packed at all", "/v1/traces", {"content_encoding": "gzip"}, 400, "not gzip"),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], "/v1/traces", {"content_encoding": "gzip"}, 400, "ends early"),
        (b"x", "/v1/traces", {"content_encoding": "br"}, 415, "expected gzip"),
        (b"x", "/v1/traces", {"content_type": "text/plain"}, 415, "expected application/x-protobuf"),
        (b"{", "/v1/traces", {"content_type": "application/json"}, 400, "not JSON"),
        (b"[]", "/v1/traces", {"content_type": "application/json"}, 400, "expected a JSON object"),
        (b'{"resourceSpans": 5}', "/v1/traces", {"content_type": "application/json"}, 400, "resourceSpans"),
        (b"", "/v1/nonsense", {}, 404, "/v1/traces"),
        (
            gzip.compress(bytes(65 * 2**20), mtime=0),
            "/v1/traces",
            {"content_encoding": "gzip"},
            413,
            "after decompression",
        ),
        (bytes(64 * 2**20 + 1), "/v1/traces", {}, 413, "at most"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_a_bad_request_is_refused_with_a_reason(  # type: ignore[no-untyped-def]
    running: Collector, body: bytes, path: str, headers: dict[str, str], status: int, says: str
) -> None:
    """Status by OTLP's rules, the reason in the body, nothing stored, and the next request is taken."""
    try:
        answer = post(running, body, path, **headers)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text
    except httpx.WriteError:
        assert status == 413  # refused by its announced size: the connection closes before the body is through
    assert post(running, request("next").SerializeToString()).status_code == 200
    assert stored_names(running.directory) == ["next"]


def test_other_methods_are_refused(running: Collector) -> None:
    """GET answers 405 and names POST; no CORS header is ever sent."""
    answer = httpx.get(running.http + "/v1/traces", headers={"origin": "http://example.com"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_metrics_are_taken_and_dropped(running: Collector) -> None:
    """A metrics exporter is answered OK and nothing is written."""
    assert post(running, b"whatever", "/v1/metrics").status_code == 200
    assert not list(running.directory.iterdir())


def test_an_error_to_a_json_client_is_json(running: Collector) -> None:
    """The error body has the content type of the request."""
    answer = httpx.post(running.http + "/v1/traces", content=b"{", headers={"content-type": "application/json"})
    assert "not JSON" in json.loads(answer.content)["message"]


def test_metrics_in_json_are_taken(running: Collector) -> None:
    """A metrics exporter that speaks JSON is answered OK, in JSON."""
    gauge = {"name": "m", "gauge": {"dataPoints": [{"asDouble": 1.5, "timeUnixNano": "1"}]}}
    answer = httpx.post(
        running.http + "/v1/metrics", json={"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}
    )
    assert (answer.status_code, answer.json()) == (200, {})
    assert not list(running.directory.iterdir())


def test_ids_of_zeros_are_stored_and_told_by_the_reader(running: Collector) -> None:
    """They are ids of the right length, so the collector keeps what came; whoever reads it is warned."""
    message = request("good")
    message.MergeFrom(request("no trace", trace_id=bytes(16)))
    message.MergeFrom(request("no span", span_id=bytes(8)))
    assert post(running, message.SerializeToString()).content == b""
    result = read([str(running.directory)])
    assert result.spans["name"].to_pylist() == ["good"]
    assert any("2 spans without ids are left out" in line for line in result.warnings)


def test_log_records_are_taken_with_and_without_a_trace(running: Collector) -> None:
    """No record is ever refused for its ids: a log line need not belong to a trace."""
    records = [{"body": {"stringValue": text}, "traceId": trace} for text, trace in (("a", ""), ("b", "0a" * 16))]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    answer = httpx.post(running.http + "/v1/logs", json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert read([str(running.directory)]).logs["body"].to_pylist() == ["a", "b"]
