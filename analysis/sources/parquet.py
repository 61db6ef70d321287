"""Parquet: our own tables as they are, foreign ones by their columns' names or by a mapping."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import UnreadableSource
from analysis.sources.foreign_columns import add_rows, columns_of
from analysis.sources.noticed import Warnings
from analysis.sources.raw_spans import SpanRows
from analysis.sources.span_building import note_odd_times, span_table
from analysis.sources.tables import Tables
from analysis.sources.threads import in_order
from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

__all__ = ["read_parquet", "write_parquet"]

_MAP = "attributes"
_TEXTS = ("attributes.key_value.key", "attributes.key_value.value")
"""Read as dictionaries: to decode a few thousand texts and repeat them is five times faster than to decode them all."""
_ROWS_PER_GROUP = 1 << 17
_DICTIONARY_BYTES = 64 << 20


def write_parquet(table: pa.Table, path: str) -> None:
    """Write a span or log table so that it reads back fast: any Parquet reader can open it."""
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=_ROWS_PER_GROUP,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
    )


def read_parquet(
    data: bytes | mmap.mmap, warnings: Warnings, mapping: Mapping[str, str] | None = None
) -> Iterator[Tables]:
    """The span or log table in a Parquet file; `mapping` names, by our column, the column of a foreign file.

    Raises UnreadableSource.
    """
    try:
        names = pq.read_schema(pa.BufferReader(pa.py_buffer(data))).names
        if set(SPAN_SCHEMA.names) <= set(names) and not mapping:
            for group in _own(data, SPAN_SCHEMA):
                note_odd_times(group["start_ns"].to_numpy(), group["end_ns"].to_numpy(), warnings)
                yield Tables(spans=group)
        elif set(LOG_SCHEMA.names) <= set(names) and not mapping:
            yield from (Tables(logs=group) for group in _own(data, LOG_SCHEMA))
        else:
            yield _foreign(data, warnings, mapping or {})
    except (pa.ArrowException, OSError) as error:
        raise UnreadableSource(warnings.location, f"damaged Parquet ({str(error).splitlines()[0]})") from error


def _own(data: bytes | mmap.mmap, schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups on all cores."""
    groups = pq.read_metadata(pa.BufferReader(pa.py_buffer(data))).num_row_groups

    def read(group: int) -> pa.Table:
        file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(data)), read_dictionary=list(_TEXTS))
        return _decoded(file.read_row_group(group, columns=schema.names, use_threads=False), schema)

    return in_order(read, range(groups))


def _decoded(table: pa.Table, schema: pa.Schema) -> pa.Table:
    maps = [
        pa.MapArray.from_arrays(chunk.offsets, _plain(chunk.keys), _plain(chunk.items))
        for chunk in table[_MAP].chunks
        if not chunk.null_count
    ]
    if len(maps) == len(table[_MAP].chunks):
        column = pa.chunked_array(maps, schema.field(_MAP).type)
        table = table.set_column(table.schema.get_field_index(_MAP), schema.field(_MAP), column)
    return table.select(schema.names).cast(schema)


def _plain(texts: pa.Array) -> pa.Array:
    return texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts


def _foreign(data: bytes | mmap.mmap, warnings: Warnings, mapping: Mapping[str, str]) -> Tables:
    file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(data)))
    columns = columns_of(file.schema_arrow, mapping, warnings.location)
    rows = SpanRows()
    for batch in file.iter_batches(columns=sorted({column.name for column in columns.values()})):
        add_rows(batch, columns, rows, warnings)
    return Tables(spans=span_table(rows.columns(), warnings))
