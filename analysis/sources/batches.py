"""Reading in bounded memory: batches of complete traces, spilled to disk by trace id when they do not fit.

A batch holds all spans that a read has of its traces, which is what `observe` needs.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.sources.reading import read_parts
from analysis.sources.tables import Tables
from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

if TYPE_CHECKING:
    from analysis.sources.live import Progress

__all__ = ["Batch", "read_batches"]

_PARTITIONS = 32
_MEMORY_BYTES = 1 << 30
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Batch:
    spans: pa.Table  # SPAN_SCHEMA
    logs: pa.Table  # LOG_SCHEMA: those of the batch's traces; logs without a trace come with the first batch
    warnings: tuple[str, ...]  # all of them come with the last batch


def read_batches(
    locations: Sequence[str],
    *,
    memory_bytes: int = _MEMORY_BYTES,
    columns: Mapping[str, str] | None = None,
    keep: AbstractSet[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """The same as `read`, in batches of complete traces; one batch when everything fits into `memory_bytes`.

    Of the spans' attributes, the batches have those that `keep` names (None: all).

    Raises UnreadableSource, as `read` does. What is spilled lies in a temporary directory until the iterator ends.
    """
    warnings: list[str] = []
    with contextlib.ExitStack() as stack:
        spill: _Spill | None = None
        kept: list[Tables] = []
        size = 0
        for part, lines in read_parts(locations, columns=columns, keep=keep, progress=progress):
            warnings.extend(lines)
            kept.append(part)
            size += part.spans.nbytes + part.logs.nbytes
            if size > memory_bytes:
                spill = spill or stack.enter_context(contextlib.closing(_Spill(stack)))
                spill.add(kept)
                kept, size = [], 0
        if spill is None:
            whole = Tables.concat(kept)
            yield Batch(whole.spans, whole.logs, tuple(warnings))
            return
        spill.add(kept)
        kept.clear()
        spill.close()
        for partition in range(_PARTITIONS):
            last = partition == _PARTITIONS - 1
            tables = spill.read(partition)
            yield Batch(tables.spans, tables.logs, tuple(warnings) if last else ())


class _Spill:
    """Two Arrow streams on disk for each partition of the trace ids."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracegap-")))
        self._writers: dict[str, pa.RecordBatchStreamWriter] = {}

    def add(self, parts: Sequence[Tables]) -> None:
        for part in parts:
            for kind, table in (("spans", part.spans), ("logs", part.logs)):
                if len(table):
                    self._write(kind, table)

    def _write(self, kind: str, table: pa.Table) -> None:
        numbers = _partitions(table["trace_id"])
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange(_PARTITIONS + 1))
        sorted_table = table.take(pa.array(order)).combine_chunks()
        for partition in range(_PARTITIONS):
            rows = sorted_table.slice(ends[partition], ends[partition + 1] - ends[partition])
            if len(rows):
                name = f"{kind}-{partition}"
                if name not in self._writers:
                    self._writers[name] = pa.ipc.new_stream(str(self._directory / name), table.schema)
                self._writers[name].write_table(rows)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def read(self, partition: int) -> Tables:
        return Tables.concat(
            [Tables(self._table("spans", partition, SPAN_SCHEMA), self._table("logs", partition, LOG_SCHEMA))]
        )

    def _table(self, kind: str, partition: int, schema: pa.Schema) -> pa.Table:
        path = self._directory / f"{kind}-{partition}"
        if not path.exists():
            return schema.empty_table()
        with pa.ipc.open_stream(str(path)) as reader:
            return reader.read_all()


def _partitions(trace_ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """The partition of each trace id; rows without one belong to the first."""
    joined = trace_ids.combine_chunks().fill_null(bytes(16))
    raw = np.frombuffer(joined.buffers()[1], np.uint8)[joined.offset * 16 : (joined.offset + len(joined)) * 16]
    halves = raw.view(np.uint64).reshape(-1, 2)
    # Some ids are counters, and those of 64 bits have a half of zeros: mix before taking the top bits.
    mixed = (halves[:, 0] ^ (halves[:, 1] * _MIX)) * _MIX
    return (mixed >> np.uint64(64 - _PARTITIONS.bit_length() + 1)).astype(np.int64)
