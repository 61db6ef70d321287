"""The content of one file into tables: detect its form, and let that form's reader read it."""

from __future__ import annotations

import mmap
from collections.abc import Iterable

from analysis.errors import UnreadableSource
from analysis.sources import otlp_frames, otlp_protobuf
from analysis.sources.detect import Form, form_of
from analysis.sources.json_documents import documents
from analysis.sources.json_forms import JsonReader
from analysis.sources.json_units import walkable_units
from analysis.sources.log_rows import LogRows
from analysis.sources.noticed import Warnings
from analysis.sources.otlp_frames import Range
from analysis.sources.parquet import read_parquet
from analysis.sources.raw_spans import SpanRows
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables
from analysis.sources.walked_forms import OTLP_PROTOBUF
from analysis.sources.walking import as_bytes, walk_units

__all__ = ["read_content"]

Buffer = bytes | mmap.mmap

WALK_FROM_BYTES = 8 << 20
"""From here on loading numba (about a second) costs less than what the compiled walk saves."""


def read_content(data: Buffer, warnings: Warnings) -> Tables:
    """The spans and logs in the content of one file. Raises UnreadableSource."""
    match form_of(data):
        case Form.PARQUET:
            return read_parquet(data, warnings)
        case Form.JSON:
            return _read_json(data, warnings)
        case Form.OTLP_FRAMES:
            return _read_messages(data, otlp_frames.frames(data), warnings)
        case Form.OTLP_DELIMITED:
            return _read_messages(data, otlp_frames.delimited(data), warnings)
        case Form.OTLP_MESSAGE:
            return _read_message(data, warnings)
        case Form.EMPTY:
            warnings.count("is empty")
            return Tables()
    expected = "expected OTLP (protobuf or JSON), Jaeger, Zipkin v2, Tempo or console spans, or Parquet"
    raise UnreadableSource(warnings.location, f"unknown form; {expected}", "byte 0")


def _read_json(data: Buffer, warnings: Warnings) -> Tables:
    if len(data) >= WALK_FROM_BYTES and (walkable := walkable_units(as_bytes(data))):
        form, units = walkable
        return Tables.concat(list(walk_units(as_bytes(data), units, form, warnings)))
    reader = JsonReader(warnings)
    for document in documents(bytes(data), warnings):
        reader.add(document)
    reader.finish()
    return Tables(span_table(reader.spans.columns(), warnings), reader.logs.table())


def _read_message(data: Buffer, warnings: Warnings) -> Tables:
    end = otlp_frames.complete_entries(data)
    if end < len(data):
        if end == 0:
            raise UnreadableSource(
                warnings.location, "not an OTLP protobuf message, or cut short in its first resource", "byte 0"
            )
        warnings.count(f"the message is cut short or damaged at byte {end}: what precedes it is read")
    return _read_messages(data, [(0, end)], warnings)


def _read_messages(data: Buffer, ranges: Iterable[Range], warnings: Warnings) -> Tables:
    spans, logs = [], []
    for begin, end in ranges:
        if end > len(data):
            warnings.count("the last export is cut short (it was never acknowledged) and is left out")
        elif otlp_frames.holds_logs(memoryview(data)[begin:end]):
            logs.append((begin, end))
        else:
            spans.append((begin, end))
    if sum(end - begin for begin, end in spans) >= WALK_FROM_BYTES:
        parts = list(walk_units(as_bytes(data), spans, OTLP_PROTOBUF, warnings))
    else:
        parts = [_read_spans(data, spans, warnings)]
    return Tables.concat([*parts, _read_logs(data, logs, warnings)])


def _read_spans(data: Buffer, ranges: Iterable[Range], warnings: Warnings) -> Tables:
    rows = SpanRows()
    for begin, end in ranges:
        try:
            otlp_protobuf.add_spans(data[begin:end], rows)
        except otlp_protobuf.DecodeError:
            warnings.count(f"export at byte {begin} is damaged and left out")
    return Tables(spans=span_table(rows.columns(), warnings))


def _read_logs(data: Buffer, ranges: Iterable[Range], warnings: Warnings) -> Tables:
    rows = LogRows()
    for begin, end in ranges:
        try:
            otlp_protobuf.add_logs(data[begin:end], rows)
        except otlp_protobuf.DecodeError:
            warnings.count(f"export at byte {begin} is damaged and left out")
    return Tables(logs=rows.table())
