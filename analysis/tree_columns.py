"""The span table as NumPy columns, the form that kernels and vectorised steps work on.

Words (services, names, addresses, ...) become codes into one dictionary per column, -1 where the value is null.
Ids are the same 64 bits read as int64, because numba turns a sum of signed and unsigned integers into a float.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Int8s", "Int32s", "Int64s", "Links", "SpanColumns", "Words", "read_columns"]

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """A dictionary-encoded column: `values[codes[i]]`, null where the code is -1."""

    codes: Int32s
    values: pa.Array

    def take(self, rows: Int64s) -> Words:
        """The words of these rows; row -1 gives null."""
        return Words(take_codes(self.codes, rows), self.values)

    def arrow(self) -> pa.DictionaryArray:
        missing = self.codes < 0
        codes = pa.array(self.codes, mask=missing) if missing.any() else pa.array(self.codes)
        return pa.DictionaryArray.from_arrays(codes, self.values)

    @cached_property
    def ranks(self) -> Int32s:
        """For each row the place of its word in alphabetical order: the same whatever the dictionary's order."""
        # Parts of a table share their words: the first thread to ask computes, the others find the same.
        order = pc.array_sort_indices(self.values).to_numpy()
        rank = np.empty(len(order) + 1, np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        rank[-1] = -1
        return rank[self.codes]


def take_codes(codes: Int32s, rows: Int64s) -> Int32s:
    if not len(codes):
        return np.full(len(rows), -1, np.int32)
    taken = np.take(codes, rows)
    taken[rows < 0] = -1
    return taken


@dataclass(frozen=True)
class Links:
    """All links of a table, one entry each, by row of the span that carries them."""

    row: Int64s
    trace_hi: Int64s
    trace_lo: Int64s
    span_id: Int64s


@dataclass(frozen=True)
class SpanColumns:
    """One entry per span; missing numbers are 0 (kind, status, http_status) or -1 (payload_bytes)."""

    trace_hi: Int64s
    trace_lo: Int64s
    span_id: Int64s
    parent_id: Int64s
    start_ns: Int64s
    end_ns: Int64s
    kind: Int8s
    status: Int8s
    http_status: npt.NDArray[np.int16]
    payload_bytes: Int64s
    service: Words
    name: Words
    error_type: Words
    peer: Words
    address: Words
    destination: Words
    host: Words
    instance: Words

    def __len__(self) -> int:
        return len(self.span_id)

    def take(self, rows: Int64s) -> SpanColumns:
        taken: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, Words):
                taken[field.name] = Words(np.take(column.codes, rows), column.values)
            else:
                taken[field.name] = np.take(column, rows)
        return SpanColumns(**taken)


def read_columns(spans: pa.Table) -> tuple[SpanColumns, Links]:
    """Columns and links of a table that follows SPAN_SCHEMA. No copy where Arrow's memory can be used as it is."""
    ids = _ids(spans["trace_id"])
    columns = SpanColumns(
        trace_hi=ids[:, 0],
        trace_lo=ids[:, 1],
        span_id=_numbers(spans["span_id"], 0).view(np.int64),
        parent_id=_numbers(spans["parent_span_id"], 0).view(np.int64),
        start_ns=_numbers(spans["start_ns"], 0),
        end_ns=_numbers(spans["end_ns"], 0),
        kind=_numbers(spans["kind"], 0),
        status=_numbers(spans["status"], 0),
        http_status=_numbers(spans["http_status"], 0),
        payload_bytes=_numbers(spans["payload_bytes"], -1),
        **{
            name: _words(spans[name])
            for name in ("service", "name", "error_type", "peer", "address", "destination", "host", "instance")
        },
    )
    return columns, _links(spans["links"])


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.unify_dictionaries().combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _numbers(column: pa.ChunkedArray, missing: int) -> npt.NDArray[Any]:
    filled = pc.fill_null(column, pa.scalar(missing, column.type)) if column.null_count else column
    numbers: npt.NDArray[Any] = one_chunk(filled).to_numpy(zero_copy_only=True)
    return numbers


def _words(column: pa.ChunkedArray) -> Words:
    array = one_chunk(column)
    codes = array.indices
    numbers = pc.fill_null(codes, pa.scalar(-1, codes.type)) if codes.null_count else codes
    return Words(numbers.to_numpy(zero_copy_only=True).astype(np.int32, copy=False), array.dictionary)


def _ids(column: pa.ChunkedArray) -> Int64s:
    """Trace ids as (n, 2) integers. The bytes are big-endian; equality is all that the analysis asks of them."""
    array = one_chunk(column)
    whole = np.frombuffer(array.buffers()[1] or b"", np.int64) if len(array) else np.empty(0, np.int64)
    return whole.reshape(-1, 2)[array.offset : array.offset + len(array)]


def _links(column: pa.ChunkedArray) -> Links:
    if not pc.sum(pc.list_value_length(column)).as_py():
        nothing = np.empty(0, np.int64)
        return Links(nothing, nothing, nothing, nothing)
    lists = one_chunk(column)
    row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    flat = pc.list_flatten(lists)
    ids = _ids(pa.chunked_array([flat.field("trace_id")]))
    return Links(row, ids[:, 0], ids[:, 1], flat.field("span_id").to_numpy().view(np.int64))
