"""Any bytes give spans or one clear error: no traceback, no hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.errors import UnreadableSource
from analysis.sources import read, reading
from analysis.sources.noticed import Warnings
from tests.analysis.sources.spans_of import JAEGER_TRACES, json_resource_spans, resource_spans

SAMPLES = Path(os.environ.get("TRACEGAP_CONFORMANCE", Path(__file__).parents[4] / "shared/conformance")) / "samples"
fuzzing = settings(deadline=2_000, max_examples=120, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the conformance samples are not here")
@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*")) if SAMPLES.is_dir() else [], ids=lambda path: path.name)
def test_samples(sample: Path) -> None:
    """Every sample of the peers is read: at least one span, or a warning that says why there is none."""
    result = read([str(sample)])
    result.spans.validate(full=True)
    assert len(result.spans) or result.warnings


def read_or_refuse(data: bytes) -> None:
    warnings = Warnings("fuzz")
    refusal = None
    parts = []
    try:
        parts = list(reading.read_content(data, warnings))
    except UnreadableSource as error:
        refusal = str(error)
    assert refusal is None or (refusal.startswith("fuzz: ") and "\n" not in refusal)
    for part in parts:
        part.spans.validate(full=True)
        part.logs.validate(full=True)
    assert all("\n" not in line for line in warnings.lines())


@fuzzing
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    """Noise."""
    read_or_refuse(data)


VALID = st.one_of(
    st.lists(resource_spans(), min_size=1, max_size=2).map(
        lambda each: TracesData(resource_spans=each).SerializeToString()
    ),
    resource_spans().map(lambda each: json.dumps({"resourceSpans": [json_resource_spans(each)]}).encode()),
    JAEGER_TRACES.map(lambda each: json.dumps({"data": [each]}).encode()),
)


@fuzzing
@given(VALID, st.data())
def test_damaged(raw: bytes, data: st.DataObject) -> None:
    """Real exports with some bytes changed, cut off, doubled or framed."""
    damaged = bytearray(raw)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    how = data.draw(st.sampled_from(["plain", "framed", "twice"]))
    read_or_refuse({"plain": cut, "framed": len(raw).to_bytes(4, "big") + cut, "twice": cut + bytes(damaged)}[how])


NAMES = (
    *("resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "stringValue", "data", "traceID", "spanID"),
    *("traceId", "id", "spanId", "operationName", "tags", "references", "processes", "context", "start_time", "status"),
    *("name", "kind", "timestamp", "duration", "startTime", "localEndpoint", "result", "batches", "resource", "links"),
    *("events", "logs", "fields", "process", "parentId", "annotations"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=30,
)


@fuzzing
@given(JSON)
def test_wrong_types_everywhere(value: object) -> None:
    """The right names with values of any type."""
    read_or_refuse(json.dumps(value).encode())


def test_cut_json_gives_what_precedes_the_cut(tmp_path: Path) -> None:
    """A document cut inside of its third span gives the two before it, and a warning."""
    attributes = [{"key": "k", "value": {"stringValue": "v"}}]
    base = {"traceId": "0a" * 16, "startTimeUnixNano": "5"}
    spans = [base | {"spanId": f"{n:016x}", "name": f"s{n}", "attributes": attributes} for n in (1, 2, 3)]
    text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    for cut in (text.index("s3"), text.rindex('"k"'), text.rindex("}}")):
        (tmp_path / "cut").write_text(text[:cut])
        result = read([str(tmp_path / "cut")])
        assert result.spans["name"].to_pylist() == ["s1", "s2"]
        assert any("cut short" in line for line in result.warnings)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "unknown form"),
        (b"{'single': 'quotes'}", "line 1, column 2: not JSON"),
        (b'{"unknown": 1}', "JSON of no known form"),
        (b"PAR1 and nothing", "damaged Parquet"),
        (b"\x1f\x8b\x08 no gzip", "damaged gzip"),
        (b"\x28\xb5\x2f\xfd no zstd", "damaged Zstandard"),
        (b'[{"traceId":"1","id":"2","annotations":[],"binaryAnnotations":[]}]', "Zipkin v1"),
    ],
)
def test_refusals_name_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    """One line: the file, the place where there is one, and what is wrong."""
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(UnreadableSource, match=reason) as refusal:
        read([str(tmp_path / "bad")])
    assert str(refusal.value).startswith(str(tmp_path / "bad"))


def test_missing_and_empty(tmp_path: Path) -> None:
    """What is not there is an error; what is empty is a warning."""
    for location in (tmp_path / "no", tmp_path, f"{tmp_path}/*.json"):
        with pytest.raises(UnreadableSource):
            read([str(location)])
    (tmp_path / "empty").write_bytes(b"")
    assert read([str(tmp_path / "empty")]).warnings == (f"{tmp_path}/empty: is empty",)


def test_odd_times_and_ids(tmp_path: Path) -> None:
    """1970, 2262, ends before starts and ids of zeros: an answer and a warning, and no span is moved."""
    span = {"traceId": "0a" * 16, "spanId": "01", "startTimeUnixNano": "5"}
    spans = [
        span | {"startTimeUnixNano": "0", "endTimeUnixNano": "9"},
        span | {"startTimeUnixNano": str(2**63 - 1), "endTimeUnixNano": str(2**64 - 1)},
        span | {"endTimeUnixNano": "4"},
        span | {"spanId": "00"},
        span,
    ]
    (tmp_path / "odd").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    result = read([str(tmp_path / "odd")])
    times = list(zip(result.spans["start_ns"].to_pylist(), result.spans["end_ns"].to_pylist(), strict=True))
    assert times == [(0, 9), (2**63 - 1, 2**63 - 1), (5, 4), (5, 5)]
    said = "\n".join(result.warnings)
    for word in ("1970", "2262", "ends before", "left out", "no end time"):
        assert word in said


SPAN = '{"traceId":"%032x","spanId":"01","attributes":[{"key":"k","value":{"stringValue":"v"}}]}'


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not tell its peak memory")
@pytest.mark.parametrize(
    "text",
    [
        "[" + "{}," * 1_500_000 + "{}]",
        "[" + '"ab",' * 900_000 + "1]",
        '{"a":1}{' * 500_000,
        '{"resourceSpans":[{"scopeSpans":[{"spans":[' + ",".join(SPAN % n for n in range(1, 40_000)) + "]}]}]}",
        '{"resourceSpans":[{"scopeSpans":[{"spans":[' + ",".join(SPAN % n for n in range(1, 40_000)),
    ],
    ids=["objects", "strings", "broken", "spans", "cut"],
)
def test_memory_stays_within_twenty_times_the_input(tmp_path: Path, text: str) -> None:
    """A few megabytes of anything need no more than twenty times as much to read."""
    (tmp_path / "large").write_text(text)
    child = subprocess.run(
        [sys.executable, "-c", READ_ALONE, str(tmp_path / "large")], capture_output=True, text=True, check=True
    )
    assert int(child.stdout) < 20 * len(text) + LIBRARIES_BYTES


LIBRARIES_BYTES = 16 << 20
"""What the libraries load and reserve on their first use, however small the input."""

READ_ALONE = """
import sys
from pathlib import Path
from analysis.errors import UnreadableSource
from analysis.sources import read
def peak():  # not getrusage: its maximum is inherited from the parent
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
try:
    read([sys.argv[1]])
except UnreadableSource:
    pass
print(peak() - before)
"""


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """Brackets without end are no stack overflow."""
    (tmp_path / "deep").write_bytes(b"[" * 200_000)
    with pytest.raises(UnreadableSource):
        read([str(tmp_path / "deep")])
