"""The forms that have a compiled walk, and what each leaves to Python."""

from __future__ import annotations

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analysis.sources import otlp_protobuf, otlp_protobuf_walk
from analysis.sources.conventions import Process, process_of
from analysis.sources.noticed import Warnings
from analysis.sources.otlp_values import Pairs
from analysis.sources.raw_spans import SpanRows
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables
from analysis.sources.walk_output import GROUPS, Bytes, Ints, Output
from analysis.sources.walking import WalkedForm

__all__ = ["OTLP_PROTOBUF"]


def _resources(data: Bytes, out: Output) -> tuple[list[Process], Ints]:
    """The process of each resource; most resources are the same as one before."""
    known: dict[bytes, int] = {}
    numbers: dict[Process, int] = {}
    of_group = np.zeros(out.counts[GROUPS], np.int64)
    for group, (_, start, length, _) in enumerate(out.groups[: out.counts[GROUPS]].tolist()):
        raw = data[start : start + length].tobytes()
        if raw not in known:
            attributes = dict(otlp_protobuf.pairs(Resource.FromString(raw).attributes))
            known[raw] = numbers.setdefault(process_of(attributes), len(numbers))
        of_group[group] = known[raw]
    return list(numbers), of_group


def _value_text(raw: bytes) -> str:
    return otlp_protobuf.text(AnyValue.FromString(raw))


def _exception_pairs(raw: bytes) -> Pairs:
    return otlp_protobuf.pairs(Span.Event.FromString(raw).attributes)


def _read_message(raw: bytes, warnings: Warnings) -> Tables:
    rows = SpanRows()
    try:
        otlp_protobuf.add_spans(raw, rows)
    except otlp_protobuf.DecodeError:
        warnings.count("export is damaged and left out", many="exports are damaged and left out")
    return Tables(spans=span_table(rows.columns(), warnings))


OTLP_PROTOBUF = WalkedForm(
    seeds=otlp_protobuf_walk.SEEDS,
    walk=lambda: otlp_protobuf_walk.walk_message.compiled,
    processes=_resources,
    value_text=_value_text,
    exception_pairs=_exception_pairs,
    damage=(otlp_protobuf.DecodeError,),
    read_unit=_read_message,
)
