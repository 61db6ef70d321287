"""Columns of foreign Parquet files: which of them is what, and in which unit their times are.

Names are compared without case and underscores. A time is taken only where its unit is known: from a timestamp type,
from the name (`start_us`, `startTimeUnixNano`), or from the mapping (`start_ns=begin:ms`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from analysis.errors import UnreadableSource
from analysis.sources.jaeger import KINDS
from analysis.sources.noticed import Warnings
from analysis.sources.raw_spans import SpanRows
from analysis.sources.text import NO_TRACE, span_id_of, trace_id_of, value_text

__all__ = ["COLUMNS", "Column", "add_rows", "columns_of"]

_NAMES = {
    "trace_id": ("traceid",),
    "span_id": ("spanid",),
    "parent_span_id": ("parentspanid", "parentid"),
    "name": ("spanname", "operationname", "operation", "name"),
    "service": ("servicename", "service"),
    "kind": ("spankind", "kind"),
    "start_ns": ("starttimeunixnano", "starttime", "timestamp", "start"),
    "end_ns": ("endtimeunixnano", "endtime", "end"),
    "duration_ns": ("duration",),
    "status": ("statuscode", "status"),
    "attributes": ("spanattributes", "attributes", "tags"),
    "resource": ("resourceattributes", "resource"),
}
"""`Timestamp` and `Duration` are those of the OpenTelemetry Collector's ClickHouse exporter."""
COLUMNS = tuple(_NAMES)
"""What a mapping may name."""

_NEEDED = ("trace_id", "span_id", "start_ns")
_UNITS = {"ns": 1, "nano": 1, "us": 10**3, "micros": 10**3, "ms": 10**6, "millis": 10**6, "s": 10**9, "seconds": 10**9}
_SUFFIX = re.compile(r"(?:unix)?(ns|nanos?|us|micros|ms|millis|seconds)$")
_STATUSES = {"ok": 1, "error": 2}


class Column(NamedTuple):
    name: str
    unit_ns: int  # of times given as numbers; 0 = the values carry their unit themselves, or are no times


def columns_of(schema: pa.Schema, mapping: Mapping[str, str], location: str) -> dict[str, Column]:
    """The foreign column for each of ours. Raises UnreadableSource when one is missing or its unit unknown."""
    chosen: dict[str, tuple[str, str]] = {}
    for ours in _NAMES:
        name, _, unit = mapping.get(ours, "").partition(":")
        name = name or _by_name(schema, ours)
        if name and name not in schema.names:
            raise UnreadableSource(location, f"no column {name!r}; it has {', '.join(schema.names)}")
        if name:
            chosen[ours] = (name, unit)
    missing = [ours for ours in _NEEDED if ours not in chosen]
    if not {"end_ns", "duration_ns"} & set(chosen):
        missing.append("end_ns or duration_ns")
    if missing:
        raise UnreadableSource(
            location, f"no column for {', '.join(missing)}; it has {', '.join(schema.names)}; map them with OURS=THEIRS"
        )
    return {
        ours: Column(name, _unit_ns(schema.field(name), ours, unit, location) if ours.endswith("_ns") else 0)
        for ours, (name, unit) in chosen.items()
    }


def _by_name(schema: pa.Schema, ours: str) -> str:
    """The column that goes by one of the known names, with or without a unit behind it."""
    plain = {name.replace("_", "").lower(): name for name in schema.names}
    for known in _NAMES[ours]:
        for candidate, name in plain.items():
            if candidate == known or (ours.endswith("_ns") and _SUFFIX.sub("", candidate) == known):
                return str(name)
    return ""


def _unit_ns(field: pa.Field, ours: str, unit: str, location: str) -> int:
    if pa.types.is_timestamp(field.type) or pa.types.is_duration(field.type):
        return 0
    plain = field.name.replace("_", "").lower()
    suffix = _SUFFIX.search(plain)
    if unit in _UNITS:
        return _UNITS[unit]
    if suffix and not unit:
        return _UNITS[suffix[1].rstrip("s") if suffix[1] == "nanos" else suffix[1]]
    if field.name == "Duration" and not unit:
        return 1  # the ClickHouse exporter's, in nanoseconds
    raise UnreadableSource(
        location, f"column {field.name!r} has no unit; say it, as in {ours}={field.name}:us (or ns, ms, s)"
    )


def add_rows(batch: pa.RecordBatch, columns: Mapping[str, Column], rows: SpanRows, warnings: Warnings) -> None:
    """Every row of a batch as a span."""
    values = {ours: _values(batch[column.name], column) for ours, column in columns.items()}
    for index in range(len(batch)):
        row = {ours: each[index] for ours, each in values.items()}
        start = row["start_ns"] or 0
        end = row.get("end_ns")
        resource = dict(_pairs(row.get("resource")))
        if row.get("service"):
            resource["service.name"] = str(row["service"])
        rows.add(
            trace_id=_trace_id(row["trace_id"], warnings),
            span_id=_span_id(row["span_id"], warnings),
            parent_span_id=_span_id(row.get("parent_span_id"), warnings),
            name=str(row.get("name") or ""),
            kind=_code(row.get("kind"), KINDS),
            start_ns=start,
            end_ns=end if end is not None else start + (row.get("duration_ns") or 0),
            status=_code(row.get("status"), _STATUSES),
            process=rows.process(resource),
            attributes=_pairs(row.get("attributes")),
        )


def _values(array: pa.Array, column: Column) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("ns", array.type.tz)).cast(pa.int64())
    if pa.types.is_duration(array.type):
        array = array.cast(pa.duration("ns")).cast(pa.int64())
    values: list[Any] = array.to_pylist()
    if column.unit_ns:
        return [None if value is None else int(value * column.unit_ns) for value in values]
    return values


def _trace_id(value: object, warnings: Warnings) -> bytes:
    if isinstance(value, bytes):
        return value if len(value) == len(NO_TRACE) else value.rjust(16, b"\0")[-16:]
    return trace_id_of(value, warnings)


def _span_id(value: object, warnings: Warnings) -> int:
    if isinstance(value, bytes):
        return int.from_bytes(value[-8:], "big")
    return value if isinstance(value, int) else span_id_of(value, warnings)


def _code(value: object, names: Mapping[str, int]) -> int:
    """OTLP's number for a kind or a status: itself, or its name with or without OTLP's prefix."""
    if isinstance(value, str):
        return names.get(value.rsplit("_", 1)[-1].lower(), 0)
    return value if isinstance(value, int) else 0


def _pairs(value: object) -> list[tuple[str, str]]:
    """A map, a struct or nothing."""
    items = value.items() if isinstance(value, dict) else value if isinstance(value, list) else ()
    pairs = [item for item in items if isinstance(item, tuple) and len(item) == 2]
    return [(str(key), _text(each)) for key, each in pairs if each is not None]


def _text(value: object) -> str:
    return str(value) if isinstance(value, (bytes, datetime, timedelta)) else value_text(value)
