"""Large inputs: compiled walks over pieces of the raw bytes, on all cores."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analysis.sources import otlp_protobuf, otlp_protobuf_walk
from analysis.sources.conventions import Process, process_of
from analysis.sources.otlp_frames import Range
from analysis.sources.raw_spans import RawSpans
from analysis.sources.walk_columns import raw_spans
from analysis.sources.walk_output import GROUPS, OK, Bytes, Output, allocate

__all__ = ["walk_protobuf"]

def walk_protobuf(data: Bytes, ranges: Sequence[Range]) -> RawSpans | None:
    """The spans of these messages; None when one of them needs the form's Python reader."""
    out = allocate(sum(end - begin for begin, end in ranges), otlp_protobuf_walk.SEEDS)
    for begin, end in ranges:
        if otlp_protobuf_walk.walk_message.compiled(data, begin, end, out) != OK:
            return None
    try:
        processes, of_group = _processes(data, out)
        return raw_spans(data, out, processes, of_group, _value_text, _exception_pairs)
    except otlp_protobuf.DecodeError:
        return None


def _processes(data: Bytes, out: Output):
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


def _exception_pairs(raw: bytes):
    return otlp_protobuf.pairs(Span.Event.FromString(raw).attributes)
