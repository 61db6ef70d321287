"""The content of one file into tables: detect its form, and let that form's reader read it."""

from __future__ import annotations

import mmap
from collections.abc import Iterable

from analysis.errors import UnreadableSource
from analysis.sources import otlp_frames, otlp_protobuf
from analysis.sources.detect import Form, form_of
from analysis.sources.json_documents import documents
from analysis.sources.json_forms import JsonReader
from analysis.sources.log_rows import LogRows
from analysis.sources.noticed import Warnings
from analysis.sources.otlp_frames import Range
from analysis.sources.parquet import read_parquet
from analysis.sources.raw_spans import SpanRows
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables

__all__ = ["read_content"]

Buffer = bytes | mmap.mmap


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
    spans, logs = SpanRows(), LogRows()
    damaged = read = 0
    position = 0
    for begin, end in ranges:
        if end > len(data):
            warnings.count("the last export is cut short (it was never acknowledged) and is left out")
            break
        message = data[begin:end]
        try:
            if otlp_frames.holds_logs(message):
                otlp_protobuf.add_logs(message, logs)
            else:
                otlp_protobuf.add_spans(message, spans)
            read += 1
        except otlp_protobuf.DecodeError:
            damaged += 1
            position = position or begin
    warnings.count(
        f"export at byte {position} is damaged and left out",
        damaged,
        many=f"exports are damaged and left out, the first at byte {position}",
    )
    if damaged and not read:
        raise UnreadableSource(warnings.location, "not an OTLP protobuf message", f"byte {position}")
    return Tables(span_table(spans.columns(), warnings), logs.table())
