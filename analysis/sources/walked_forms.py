"""The forms that have a compiled walk, and what each leaves to Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analysis.sources import jaeger, jaeger_walk, otlp_json, otlp_json_walk, otlp_protobuf, otlp_protobuf_walk
from analysis.sources.conventions import Process, process_of
from analysis.sources.noticed import Warnings
from analysis.sources.raw_spans import SpanRows
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables
from analysis.sources.text import value_text
from analysis.sources.walk_output import GROUPS, SEEDS, Bytes, Ints, Output
from analysis.sources.walking import WalkedForm

__all__ = ["JAEGER", "OTLP_JSON", "OTLP_PROTOBUF"]


def _processes(
    data: Bytes, out: Output, attributes_of: Callable[[bytes], dict[str, str]]
) -> tuple[list[Process], Ints]:
    """The process of each group, and the group's number of it; most resources are the same as one before."""
    known: dict[bytes, int] = {}
    numbers: dict[Process, int] = {}
    of_group = np.zeros(out.counts[GROUPS], np.int64)
    for group, (_, start, length) in enumerate(out.groups[: out.counts[GROUPS]].tolist()):
        raw = data[start : start + length].tobytes()
        if raw not in known:
            known[raw] = numbers.setdefault(process_of(attributes_of(raw)), len(numbers))
        of_group[group] = known[raw]
    return list(numbers), of_group


def _of_message(raw: bytes) -> dict[str, str]:
    return dict(otlp_protobuf.pairs(Resource.FromString(raw).attributes))


def _read_message(raw: bytes, warnings: Warnings) -> Tables:
    rows = SpanRows()
    try:
        otlp_protobuf.add_spans(raw, rows)
    except otlp_protobuf.DecodeError:
        warnings.count("export is damaged and left out", many="exports are damaged and left out")
    return Tables(spans=span_table(rows.columns(), warnings))


OTLP_PROTOBUF = WalkedForm(
    seeds=SEEDS,
    walk=lambda: otlp_protobuf_walk.walk_message.compiled,
    processes=lambda data, out: _processes(data, out, _of_message),
    value_text=lambda raw: otlp_protobuf.text(AnyValue.FromString(raw)),
    exception_pairs=lambda raw: otlp_protobuf.pairs(Span.Event.FromString(raw).attributes),
    damage=(otlp_protobuf.DecodeError,),
    read_unit=_read_message,
)


def _read_resource_spans(raw: bytes, warnings: Warnings) -> Tables:
    rows = SpanRows()
    otlp_json.add_spans({"resourceSpans": [_loaded(raw, warnings)]}, rows, warnings)
    return Tables(spans=span_table(rows.columns(), warnings))


OTLP_JSON = WalkedForm(
    seeds=SEEDS,
    walk=lambda: otlp_json_walk.walk_resource_spans.compiled,
    processes=lambda data, out: _processes(data, out, lambda raw: dict(otlp_json.pairs(orjson.loads(raw or b"{}")))),
    value_text=lambda raw: otlp_json.text(orjson.loads(raw)),
    exception_pairs=lambda raw: otlp_json.pairs(orjson.loads(raw)),
    damage=(orjson.JSONDecodeError,),
    read_unit=_read_resource_spans,
)


def _read_trace(raw: bytes, warnings: Warnings) -> Tables:
    rows = SpanRows()
    trace = _loaded(raw, warnings)
    jaeger.add_trace(trace if isinstance(trace, dict) else {}, rows, warnings)
    return Tables(spans=span_table(rows.columns(), warnings))


JAEGER = WalkedForm(
    seeds=jaeger_walk.JAEGER_SEEDS,
    walk=lambda: jaeger_walk.walk_trace.compiled,
    processes=lambda data, out: _processes(data, out, lambda raw: jaeger.process(orjson.loads(raw or b"{}"))),
    value_text=lambda raw: value_text(orjson.loads(raw)),
    exception_pairs=lambda raw: jaeger.exception(orjson.loads(raw)),
    damage=(orjson.JSONDecodeError,),
    read_unit=_read_trace,
)


def _loaded(raw: bytes, warnings: Warnings) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        warnings.count(f"a part is not JSON ({error.msg}) and is left out")
        return None
