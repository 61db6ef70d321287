"""`tracegap analyze` of traces that no system should send: an answer and a warning, never a traceback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.span_table import SPAN_SCHEMA
from tests.tracegap.commands import tracegap

T0 = 1_790_000_000_000_000_000
LATEST_NS = 2**63 - 1

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """One trace as columns; every other span is a CLIENT span, of one of five services."""

    ids: Ints
    parents: Ints
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.ids)


def trace(ids: object, parents: object, starts: object, ends: object) -> Trace:
    return Trace(*(np.asarray(column, np.int64) for column in (ids, parents, starts, ends)))


def same_id(count: int) -> Trace:
    n = np.arange(count)
    return trace(np.ones(count), np.zeros(count), T0 + n, T0 + n + 10**6)


def chain(count: int) -> Trace:
    n = np.arange(count)
    return trace(n + 1, n, T0 + n, T0 + 3 * count - n)


def wide(count: int) -> Trace:
    """A root with all others as its children, one after another."""
    n = np.arange(count)
    return trace(n + 1, n > 0, T0 + n * 1000, np.where(n, T0 + n * 1000 + 900, T0 + count * 1000))


def write_protobuf(path: Path, made: Trace) -> Path:
    data = TracesData()
    resources = [data.resource_spans.add() for _ in range(5)]
    for number, resource in enumerate(resources):
        resource.resource.attributes.add(key="service.name").value.string_value = f"s{number}"
        resource.scope_spans.add()
    columns = (made.ids.tolist(), made.parents.tolist(), made.starts.tolist(), made.ends.tolist())
    for n, (span_id, parent, start, end) in enumerate(zip(*columns, strict=True)):
        resources[n % 5].scope_spans[0].spans.add(
            trace_id=b"t" * 16, span_id=span_id.to_bytes(8), parent_span_id=parent.to_bytes(8) if parent else b"",
            name="op", kind=2 + n % 2, start_time_unix_nano=start, end_time_unix_nano=end,
        )  # fmt: skip
    path.write_bytes(data.SerializeToString())
    return path


def write_parquet(path: Path, made: Trace) -> Path:
    count = len(made)
    n = np.arange(count)
    columns = {
        "trace_id": pa.array([b"t" * 16] * count, pa.binary(16)),
        "span_id": pa.array(made.ids.astype(np.uint64)),
        "parent_span_id": pa.array(made.parents.astype(np.uint64)),
        "service": pa.DictionaryArray.from_arrays((n % 5).astype(np.int32), [f"s{k}" for k in range(5)]),
        "name": pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), ["op"]),
        "kind": pa.array((2 + n % 2).astype(np.int8)),
        "start_ns": pa.array(made.starts),
        "end_ns": pa.array(made.ends),
    }
    nulls = {field.name: pa.nulls(count, field.type) for field in SPAN_SCHEMA if field.name not in columns}
    pq.write_table(pa.table({**columns, **nulls}).select(SPAN_SCHEMA.names).cast(SPAN_SCHEMA), path)
    return path


CASES = {
    "10,000 spans with one id": (same_id(10_000), "have the id of another span"),
    "a chain 10,000 deep": (chain(10_000), None),
    "a cycle": (trace([1, 2, 3], [3, 1, 2], [T0] * 3, [T0 + 9] * 3), "circle of parents"),
    "its own parent": (trace([1, 2], [1, 1], [T0] * 2, [T0 + 9] * 2), "circle of parents"),
    "an end before the start": (trace([1, 2], [0, 1], [T0 + 9] * 2, [T0, T0 + 12]), "ends before it starts"),
    "1970": (trace([1, 2], [0, 1], [0, 0], [9, 5]), "in 1970"),
    "2262": (trace([1, 2], [0, 1], [T0, LATEST_NS - 9], [LATEST_NS] * 2), "of the year 2262"),
    "1970 to 2262": (trace([1, 2], [0, 1], [0, 5], [LATEST_NS] * 2), "of the year 2262"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("form", "write"),
    [("json", write_protobuf), ("json", write_parquet), ("text", write_protobuf), ("html", write_protobuf)],
)
def test_an_odd_trace_has_an_answer_and_a_warning(tmp_path: Path, case: str, write, form: str) -> None:  # type: ignore[no-untyped-def]
    """Exit code 0 and a report in every form, which says what was odd (a deep chain is not odd, just deep)."""
    made, warning = CASES[case]
    done = tracegap("analyze", str(write(tmp_path / "spans", made)), "--format", form, directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if form == "json":
        report = json.loads(done.stdout)
        assert report["input"]["traces"] == 1
        said = " ".join(report["input"]["warnings"])
        assert (warning or "") in said
        assert bool(said) == bool(warning)
    else:
        assert "INCONCLUSIVE" in done.stdout.upper()


@pytest.mark.parametrize("shape", [wide, chain])
def test_a_trace_of_a_million_spans_is_read_and_left_undrawn(tmp_path: Path, shape) -> None:  # type: ignore[no-untyped-def]
    """All spans are counted and every nanosecond of the root is accounted for."""
    path = write_parquet(tmp_path / "spans.parquet", shape(1_000_000))
    done = tracegap("analyze", str(path), "--format", "json", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["input"]["spans"] == 1_000_000
    budget = report["accounting"]
    assert round(budget.pop("root_ms") * 1e6) == sum(round(ms * 1e6) for ms in budget.values()) > 0
