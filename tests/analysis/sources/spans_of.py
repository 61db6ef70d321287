"""Strategies for OTLP spans of every shape, and the same spans in the forms that carry them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
KEYS = st.sampled_from(
    ["http.url", "http.status_code", "server.address", "server.port", "error.type", "db.system", "peer.service",
     "error", "span.kind", "otel.status_code", "http.response.body.size", "rpc.grpc.status_code", "exception.type", "ä"]
) | st.text("abc._\\\"", max_size=4)  # fmt: skip
TIMES = st.sampled_from([0, 1, 1_700_000_000_123_456_789, 2**63 - 1]) | st.integers(0, 2**62)


@st.composite
def values(draw: st.DrawFn, depth: int = 1) -> AnyValue:
    plain = [
        st.builds(
            AnyValue, string_value=TEXTS | st.sampled_from(["true", "false", "0", "client", "SERVER", "OK", "error"])
        ),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, double_value=st.floats(allow_nan=False, allow_infinity=False)),
        st.builds(AnyValue, bytes_value=st.binary(max_size=4)),
        st.just(AnyValue()),
    ]
    if depth and draw(st.integers(0, 5)) == 0:
        value = AnyValue()
        value.array_value.values.extend(draw(st.lists(values(depth - 1), max_size=2)))
        return value
    return draw(st.one_of(plain))


def attributes(max_size: int = 5) -> st.SearchStrategy[list[KeyValue]]:
    return st.lists(st.builds(KeyValue, key=KEYS, value=values()), max_size=max_size)


EVENTS = st.builds(
    Span.Event,
    name=st.sampled_from(["exception", "message", ""]),
    attributes=st.lists(
        st.builds(KeyValue, key=st.sampled_from(["exception.type", "exception.message", "x"]), value=values()),
        max_size=3,
    ),
)
LINKS = st.builds(Span.Link, trace_id=st.binary(min_size=16, max_size=16), span_id=st.binary(min_size=8, max_size=8))
SPANS = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_span_id=st.sampled_from([b"", b"\0\0\0\0\0\0\0\1", b"\xff" * 8]),
    name=TEXTS,
    kind=st.integers(0, 5),
    start_time_unix_nano=TIMES,
    end_time_unix_nano=TIMES,
    attributes=attributes(),
    events=st.lists(EVENTS, max_size=2),
    links=st.lists(LINKS, max_size=2),
    status=st.builds(Status, code=st.integers(0, 2), message=TEXTS),
)


@st.composite
def resource_spans(draw: st.DrawFn) -> ResourceSpans:
    made = ResourceSpans()
    made.resource.attributes.extend(
        draw(
            st.lists(
                st.builds(KeyValue, key=st.sampled_from(["service.name", "host.name"]), value=values()), max_size=2
            )
        )
    )
    for spans in draw(st.lists(st.lists(SPANS, max_size=3), max_size=2)):
        made.scope_spans.add().spans.extend(spans)
    return made


def json_value(value: AnyValue) -> dict[str, Any]:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return {}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "array_value":
            return {"arrayValue": {"values": [json_value(each) for each in value.array_value.values]}}
        case "bytes_value":
            return {"bytesValue": "AAE="}
    return {kind.replace("_v", "V"): getattr(value, kind)}


def json_attributes(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": json_value(pair.value)} for pair in pairs]


def json_span(span: Span) -> dict[str, Any]:
    """A span in OTLP/JSON, as SDKs write it."""
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": json_attributes(span.attributes),
        "events": [{"name": event.name, "attributes": json_attributes(event.attributes)} for event in span.events],
        "links": [{"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()} for link in span.links],
        "status": {"code": span.status.code, "message": span.status.message},
    }


def json_resource_spans(made: ResourceSpans) -> dict[str, Any]:
    return {
        "resource": {"attributes": json_attributes(made.resource.attributes)},
        "scopeSpans": [{"spans": [json_span(span) for span in scope.spans]} for scope in made.scope_spans],
    }


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
TAGS = st.lists(st.fixed_dictionaries({"key": KEYS, "value": PLAIN | st.lists(PLAIN, max_size=2)}), max_size=5)
IDS = st.sampled_from(["a", "0f", "00000000000000ff", "1" * 32, "ABC", "", "not-hex", "12345678901234567"])
REFERENCES = st.lists(
    st.fixed_dictionaries({"refType": st.sampled_from(["CHILD_OF", "FOLLOWS_FROM"]), "traceID": IDS, "spanID": IDS}),
    max_size=3,
)
FIELDS = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["event", "exception.type", "error.kind", "message"]),
        "value": st.sampled_from(["exception", "error", "IOError", 7]),
    }
)
LOGS = st.lists(
    st.fixed_dictionaries({"timestamp": st.integers(0, 9), "fields": st.lists(FIELDS, max_size=3)}), max_size=2
)
MICROS = st.sampled_from([0, 1, -5, 1_700_000_000_123_456, 2**62, 1.5])
JAEGER_SPANS = st.fixed_dictionaries(
    {"traceID": IDS, "spanID": IDS, "operationName": TEXTS, "startTime": MICROS, "duration": MICROS},
    optional={"references": REFERENCES | st.none(), "tags": TAGS | st.none(), "logs": LOGS | st.none(),
              "processID": st.sampled_from(["p1", "p2", "p3"]), "parentSpanID": IDS, "flags": st.just(1)},
)  # fmt: skip
JAEGER_TRACES = st.fixed_dictionaries(
    {"traceID": IDS, "spans": st.lists(JAEGER_SPANS, max_size=4)},
    optional={"processes": st.dictionaries(st.sampled_from(["p1", "p2"]), st.fixed_dictionaries(
        {"serviceName": TEXTS}, optional={"tags": TAGS}), max_size=2)},
)  # fmt: skip
