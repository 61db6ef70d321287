"""A compiled walk gives exactly what its form's Python reader gives."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData

from analysis.sources.noticed import Warnings
from analysis.sources.otlp_frames import Range
from analysis.sources.walked_forms import JAEGER, OTLP_JSON, OTLP_PROTOBUF
from analysis.sources.walking import WalkedForm, as_bytes, walk_units
from tests.analysis.sources.spans_of import JAEGER_TRACES, json_resource_spans, resource_spans

pytestmark = pytest.mark.timeout(600)  # on a fresh checkout each walk is compiled first

compiling = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.to_pylist()


def assert_same(form: WalkedForm, units: list[bytes]) -> None:
    data, ranges = joined(units)
    walked_warnings, read_warnings = Warnings("x"), Warnings("x")
    walked = [row for part in walk_units(as_bytes(data), ranges, form, walked_warnings) for row in rows(part.spans)]
    read = [row for unit in units for row in rows(form.read_unit(unit, read_warnings).spans)]
    assert walked == read
    assert sorted(walked_warnings.lines()) == sorted(read_warnings.lines())


def joined(units: list[bytes]) -> tuple[bytes, list[Range]]:
    ranges, at = [], 0
    for unit in units:
        ranges.append((at, at + len(unit)))
        at += len(unit)
    return b"".join(units) + b" ", ranges


@compiling
@given(st.lists(resource_spans(), max_size=3))
def test_protobuf(made: list[ResourceSpans]) -> None:
    """Any valid OTLP message: the same table from the walk and from the protobuf library."""
    assert_same(OTLP_PROTOBUF, [TracesData(resource_spans=[each]).SerializeToString() for each in made])


@compiling
@given(st.lists(resource_spans(), max_size=3), st.booleans(), st.randoms(use_true_random=False))
def test_otlp_json(made: list[ResourceSpans], ascii_only: bool, order: random.Random) -> None:
    """Any OTLP/JSON, escaped or not, its keys in any order: the same table from the walk and from orjson."""
    documents = [shuffled(json_resource_spans(each), order) for each in made]
    assert_same(OTLP_JSON, [json.dumps(each, ensure_ascii=ascii_only).encode() for each in documents])


@compiling
@given(st.lists(JAEGER_TRACES, max_size=3), st.booleans(), st.randoms(use_true_random=False))
def test_jaeger(traces: list[dict[str, Any]], ascii_only: bool, order: random.Random) -> None:
    """Any Jaeger traces: the same table from the walk and from orjson."""
    assert_same(JAEGER, [json.dumps(shuffled(each, order), ensure_ascii=ascii_only).encode() for each in traces])


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(each, order)) for key, each in value.items()]
        order.shuffle(items)
        return dict(items)
    return [shuffled(each, order) for each in value] if isinstance(value, list) else value


@compiling
@given(st.lists(resource_spans(), min_size=1, max_size=2), st.data())
def test_damaged_protobuf(made: list[ResourceSpans], data: st.DataObject) -> None:
    """Bytes that were changed give spans or a warning, never an error."""
    raw = bytearray(TracesData(resource_spans=made).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for part in walk_units(as_bytes(bytes(raw)), [(0, len(raw))], OTLP_PROTOBUF, Warnings("x")):
        part.spans.validate(full=True)


@compiling
@given(st.lists(resource_spans(), min_size=1, max_size=2), st.data())
def test_damaged_json(made: list[ResourceSpans], data: st.DataObject) -> None:
    """The same for JSON."""
    raw = bytearray(orjson.dumps(json_resource_spans(made[0])))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(list(b'{}[]",:\\0tnu \xff\x00')))
    for form in (OTLP_JSON, JAEGER):
        for part in walk_units(as_bytes(bytes(raw)), [(0, len(raw))], form, Warnings("x")):
            part.spans.validate(full=True)
