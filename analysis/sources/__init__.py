"""Spans and logs from everywhere: `read(locations)` gives the span table and the log table. One file per form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from analysis.errors import UnreadableSource
from analysis.sources.locations import contents, files
from analysis.sources.noticed import Warnings
from analysis.sources.reading import read_content
from analysis.sources.tables import Tables

__all__ = ["ReadResult", "read"]


@dataclass(frozen=True, slots=True)
class ReadResult:
    spans: pa.Table  # SPAN_SCHEMA
    logs: pa.Table  # LOG_SCHEMA
    warnings: tuple[str, ...]


def read(locations: Sequence[str]) -> ReadResult:
    """Everything in these files, directories, globs, `-` (standard input) and URLs, detected by content.

    Raises UnreadableSource. In a directory, files of unknown form are left out with a warning if one can be read.
    """
    parts: list[Tables] = []
    lines: list[str] = []
    for location in locations:
        found = files(location)
        refused: list[UnreadableSource] = []
        for file in found:
            warnings = Warnings(file)
            try:
                parts.append(read_content(contents(file, warnings), warnings))
            except UnreadableSource as error:
                refused.append(error)
            lines.extend(warnings.lines())
        if len(refused) == len(found):
            raise refused[0]
        lines.extend(str(error) for error in refused)
    tables = Tables.concat(parts)
    return ReadResult(tables.spans, tables.logs, tuple(lines))
