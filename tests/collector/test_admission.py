from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.admission import admit_logs, admit_traces, plain_spans
from collector.errors import Malformed
from tests.collector.conftest import request


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    """Requests of any shape, ids of wrong lengths included."""
    message = ExportTraceServiceRequest()
    ids = st.one_of(st.just(b"t" * 16), st.just(b"s" * 8), st.binary(max_size=20))
    for _ in range(draw(st.integers(0, 3))):
        resource = message.resource_spans.add()
        for key in draw(st.lists(st.text(max_size=200), max_size=3)):
            resource.resource.attributes.add(key=key).value.string_value = key
        for _ in range(draw(st.integers(0, 2))):
            scope = resource.scope_spans.add()
            for _ in range(draw(st.integers(0, 4))):
                scope.spans.add(trace_id=draw(ids), span_id=draw(ids), name=draw(st.text(max_size=300)))
    return message


def _counts(message: ExportTraceServiceRequest) -> tuple[int, int]:
    spans = [s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]
    valid = [s for s in spans if len(s.trace_id) == 16 and len(s.span_id) == 8]
    return len(valid), len(spans) - len(valid)


@given(requests())
def test_every_valid_span_is_kept_and_every_other_counted(message: ExportTraceServiceRequest) -> None:
    """The count by lengths alone and the one by full decoding agree; what is written holds just the valid spans."""
    valid, invalid = _counts(message)
    admitted = admit_traces(message.SerializeToString())
    assert (admitted.spans, admitted.rejected) == (valid, invalid)
    assert _counts(ExportTraceServiceRequest.FromString(admitted.body)) == (valid, 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_admitted_or_malformed(body: bytes) -> None:
    """No other error, and the walk admits nothing that protobuf would not."""
    try:
        admit_traces(body)
    except Malformed:
        assert plain_spans(body) is None


def test_the_fast_walk_takes_what_an_sdk_sends() -> None:
    """An ordinary batch does not need the full decoding."""
    assert plain_spans(request(*(f"GET /{i}" for i in range(512))).SerializeToString()) == 512


def test_a_cut_body_is_malformed() -> None:
    """A request that ends early is refused, not stored."""
    body = request("a" * 200, "b" * 200).SerializeToString()
    for end in range(1, len(body)):
        with pytest.raises(Malformed):
            admit_traces(body[:end])


def test_logs_must_decode() -> None:
    """Bytes that are no log request are refused."""
    with pytest.raises(Malformed, match="ExportLogsServiceRequest"):
        admit_logs(b"\xff\xff\xff")
