"""Reading in bounded memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.sources import read, read_batches, reading


@pytest.fixture
def scattered(tmp_path: Path) -> str:
    """Four files; each of 300 traces has a span in every file."""
    chance = random.Random(7)
    ids = [chance.randbytes(16) for _ in range(300)]
    for number in range(4):
        data = TracesData()
        spans = data.resource_spans.add().scope_spans.add().spans
        for trace_id in chance.sample(ids, len(ids)):
            spans.add(trace_id=trace_id, span_id=chance.randbytes(8), name=f"n{number}", start_time_unix_nano=5)
        (tmp_path / f"f{number}").write_bytes(data.SerializeToString())
    return str(tmp_path)


def test_batches_hold_complete_traces(scattered: str) -> None:
    """However little memory, no trace is in two batches, and together they are what `read` gives."""
    batches = list(read_batches([scattered], memory_bytes=20_000))
    assert len(batches) > 1
    whole = read([scattered])
    ids = [set(batch.spans["trace_id"].to_pylist()) for batch in batches]
    assert sum(map(len, ids)) == len(set().union(*ids)) == 300
    assert sorted(span for batch in batches for span in batch.spans["span_id"].to_pylist()) == sorted(
        whole.spans["span_id"].to_pylist()
    )
    assert batches[-1].warnings == whole.warnings


def test_one_batch_when_it_fits(scattered: str) -> None:
    """What fits is not written to disk."""
    (batch,) = read_batches([scattered])
    assert batch.spans.equals(read([scattered]).spans)


def test_large_files_give_the_same(scattered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled walk, which large files get, gives the same table as the Python readers."""
    before = read([scattered]).spans.to_pylist()
    monkeypatch.setattr(reading, "WALK_FROM_BYTES", 0)
    monkeypatch.setattr(reading, "WALK_FRAMES_FROM_BYTES", 0)
    assert read([scattered]).spans.to_pylist() == before
