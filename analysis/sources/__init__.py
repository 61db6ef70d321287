"""Spans and logs from everywhere: `read` gives the span and log tables, `read_batches` the same in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from analysis.sources.batches import Batch, read_batches
from analysis.sources.reading import read_parts
from analysis.sources.tables import Tables

if TYPE_CHECKING:
    from analysis.sources.live import Progress

__all__ = ["Batch", "ReadResult", "read", "read_batches", "write_parquet"]


def write_parquet(table: pa.Table, path: str) -> None:
    """Write a span or log table so that it reads back fast: any Parquet reader can open it."""
    from analysis.sources.parquet import write_parquet as write  # few that read ever write

    write(table, path)


@dataclass(frozen=True, slots=True)
class ReadResult:
    spans: pa.Table  # SPAN_SCHEMA
    logs: pa.Table  # LOG_SCHEMA
    warnings: tuple[str, ...]


def read(
    locations: Sequence[str], *, columns: Mapping[str, str] | None = None, progress: Progress | None = None
) -> ReadResult:
    """Everything in these files, directories, globs, `-` (standard input) and URLs, detected by content.

    `columns` maps our columns to those of foreign Parquet files; `progress` is told, in words, how far a long read is.
    Raises UnreadableSource. In a directory, files of unknown form are left out with a warning if one can be read.
    """
    parts: list[Tables] = []
    lines: list[str] = []
    for tables, noticed in read_parts(locations, columns=columns, progress=progress):
        parts.append(tables)
        lines.extend(noticed)
    whole = Tables.concat(parts)
    return ReadResult(whole.spans, whole.logs, tuple(lines))
