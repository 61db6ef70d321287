"""Parquet: our own tables as they are, foreign ones by a mapping of columns."""

from __future__ import annotations

import mmap

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import UnreadableSource
from analysis.sources.noticed import Warnings
from analysis.sources.tables import Tables
from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

__all__ = ["read_parquet"]


def read_parquet(data: bytes | mmap.mmap, warnings: Warnings) -> Tables:
    """The span or log table in a Parquet file. Raises UnreadableSource."""
    try:
        table = pq.read_table(pa.BufferReader(pa.py_buffer(data)))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableSource(warnings.location, f"damaged Parquet ({error})") from error
    if set(SPAN_SCHEMA.names) <= set(table.column_names):
        return Tables(spans=table.select(SPAN_SCHEMA.names).cast(SPAN_SCHEMA))
    if set(LOG_SCHEMA.names) <= set(table.column_names):
        return Tables(logs=table.select(LOG_SCHEMA.names).cast(LOG_SCHEMA))
    raise UnreadableSource(warnings.location, "Parquet without the columns of a span table")
