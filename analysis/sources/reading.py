"""From locations to tables: find the files, detect the form of each, and let that form's reader read it."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, TypeVar

from analysis.errors import UnreadableSource
from analysis.sources import otlp_frames
from analysis.sources.detect import Form, form_of
from analysis.sources.json_documents import documents
from analysis.sources.json_forms import JsonReader
from analysis.sources.locations import contents, files
from analysis.sources.log_rows import LogRows
from analysis.sources.noticed import Warnings
from analysis.sources.otlp_frames import Range
from analysis.sources.raw_spans import SpanRows
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables

if TYPE_CHECKING:
    from analysis.sources.live import Progress

__all__ = ["read_content", "read_parts"]

Buffer = bytes | mmap.mmap
_Rows = TypeVar("_Rows")

WALK_FROM_BYTES, WALK_FRAMES_FROM_BYTES = 8 << 20, 24 << 20
"""From here on loading numba costs less than what the compiled walk saves: about a second when it has been compiled
before, some fifteen when not. Frames of protobuf have a reader that is fast enough to wait longer with that."""
MANY_FILES, WALK_SMALL_FROM_BYTES = 64, 2 << 20
"""The same for many small files, each of which costs a reader some milliseconds more."""


def read_parts(
    locations: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    keep: AbstractSet[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Tables, Sequence[str]]]:
    """Part after part of all locations, each with the warnings that go with it. Raises UnreadableSource.

    Of the spans' attributes, the tables have those that `keep` names (None: all).
    """
    for location in locations:
        if "://" in location:
            from analysis.sources.live import is_live, read_live  # HTTP takes as long to load as Arrow

            if is_live(location):
                warnings = Warnings(location)
                yield read_live(location, warnings, progress).keeping(keep), warnings.lines()
                continue
        found = files(location)
        refused: list[UnreadableSource] = []
        spans = 0
        left: Sequence[str] | list[str] = found
        if len(found) >= MANY_FILES:
            from analysis.sources.small_files import walk_small_files

            left = []
            for piece in walk_small_files(found, WALK_SMALL_FROM_BYTES, keep):
                spans += len(piece.tables.spans)
                yield piece.tables, ()
                left.extend(piece.left)
                if progress:
                    progress(f"{piece.files[-1]}: {spans:,} spans")
        for file in left:
            warnings = Warnings(file)
            try:
                for tables in read_content(contents(file, warnings), warnings, columns):
                    spans += len(tables.spans)
                    yield tables.keeping(keep), ()
                    if progress:
                        progress(f"{file}: {spans:,} spans")
            except UnreadableSource as error:
                refused.append(error)
            yield Tables(), warnings.lines()
        if len(refused) == len(found):
            raise refused[0]
        yield Tables(), [str(error) for error in refused]


def read_content(data: Buffer, warnings: Warnings, columns: Mapping[str, str] | None = None) -> Iterator[Tables]:
    """The spans and logs in the content of one file, part after part. Raises UnreadableSource."""
    form = form_of(data)
    match form:
        case Form.PARQUET:
            from analysis.sources.parquet import read_parquet

            yield from read_parquet(data, warnings, columns)
        case Form.JSON:
            yield from _read_json(data, warnings)
        case Form.OTLP_FRAMES:
            yield from _read_messages(data, otlp_frames.frames(data), warnings)
        case Form.OTLP_DELIMITED:
            yield from _read_messages(data, otlp_frames.delimited(data), warnings)
        case Form.OTLP_MESSAGE:
            yield from _read_message(data, warnings)
        case Form.EMPTY:
            warnings.count("is empty")
        case Form.UNKNOWN:
            expected = "expected OTLP (protobuf or JSON), Jaeger, Zipkin v2, Tempo or console spans, or Parquet"
            raise UnreadableSource(warnings.location, f"unknown form; {expected}", "byte 0")


def _read_json(data: Buffer, warnings: Warnings) -> Iterator[Tables]:
    if len(data) >= WALK_FROM_BYTES:
        from analysis.sources.json_units import walkable_units
        from analysis.sources.walking import as_bytes, walk_units

        if walkable := walkable_units(as_bytes(data)):
            form, units = walkable
            yield from walk_units(as_bytes(data), units, form, warnings)
            return
    reader = JsonReader(warnings)
    for document in documents(bytes(data), warnings):
        reader.add(document)
    reader.finish()
    yield Tables(span_table(reader.spans.columns(), warnings), reader.logs.table())


def _read_message(data: Buffer, warnings: Warnings) -> Iterator[Tables]:
    ends = list(otlp_frames.entry_ends(data))
    end = ends[-1] if ends else 0
    if end == 0:
        raise UnreadableSource(
            warnings.location, "not an OTLP protobuf message, or cut short in its first resource", "byte 0"
        )
    if end < len(data):
        warnings.count(f"the message is cut short or damaged at byte {end}: what precedes it is read")
    # A message is the same as its entries one after another: each can be read alone.
    yield from _read_messages(data, zip([0, *ends[:-1]], ends, strict=True), warnings)


def _read_messages(data: Buffer, ranges: Iterable[Range], warnings: Warnings) -> Iterator[Tables]:
    spans, logs = [], []
    for begin, end in ranges:
        if end > len(data):
            warnings.count("the last export is cut short (it was never acknowledged) and is left out")
        elif otlp_frames.holds_logs(memoryview(data)[begin:end]):
            logs.append((begin, end))
        else:
            spans.append((begin, end))
    if sum(end - begin for begin, end in spans) >= WALK_FRAMES_FROM_BYTES:
        from analysis.sources.walked_forms import OTLP_PROTOBUF
        from analysis.sources.walking import as_bytes, walk_units

        yield from walk_units(as_bytes(data), spans, OTLP_PROTOBUF, warnings)
    else:
        yield _read_spans(data, spans, warnings)
    if logs:
        yield _read_logs(data, logs, warnings)


def _read_spans(data: Buffer, ranges: Sequence[Range], warnings: Warnings) -> Tables:
    from analysis.sources import otlp_protobuf

    rows = SpanRows()
    damaged = [begin for begin, end in ranges if not _taken(otlp_protobuf.add_spans, data[begin:end], rows)]
    _note_damage(damaged, len(ranges), warnings)
    return Tables(spans=span_table(rows.columns(), warnings))


def _read_logs(data: Buffer, ranges: Sequence[Range], warnings: Warnings) -> Tables:
    from analysis.sources import otlp_protobuf

    rows = LogRows()
    damaged = [begin for begin, end in ranges if not _taken(otlp_protobuf.add_logs, data[begin:end], rows)]
    _note_damage(damaged, len(ranges), warnings)
    return Tables(logs=rows.table())


def _taken(add: Callable[[bytes, _Rows], None], message: bytes, rows: _Rows) -> bool:
    """Add what a message holds; False when it is damaged."""
    from google.protobuf.message import DecodeError

    try:
        add(message, rows)
    except DecodeError:
        return False
    return True


def _note_damage(damaged: Sequence[int], exports: int, warnings: Warnings) -> None:
    """Warn of what was left out. Raises UnreadableSource when nothing was read."""
    if damaged and len(damaged) == exports:
        raise UnreadableSource(warnings.location, "not an OTLP protobuf message", f"byte {damaged[0]}")
    if damaged:
        warnings.count(
            f"export at byte {damaged[0]} is damaged and left out",
            len(damaged),
            many=f"exports are damaged and left out, the first at byte {damaged[0]}",
        )
