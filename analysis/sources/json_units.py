"""Where the traces of a large JSON file stand: found in one pass over its bytes, without building its values."""

from __future__ import annotations

import numpy as np

from analysis.sources.json_scan import LEFT_BRACE, LEFT_BRACKET, blank_end, element_ranges, key_end, value_end
from analysis.sources.otlp_frames import Range
from analysis.sources.walk_output import Bytes
from analysis.sources.walked_forms import JAEGER, OTLP_JSON
from analysis.sources.walking import WalkedForm

__all__ = ["walkable_units"]

_RANGES_AT_ONCE = 1 << 14
_OTLP_LISTS = (b"resourceSpans", b"batches")
_WRAPPINGS = (b"result", b"trace")
_BOM = b"\xef\xbb\xbf"


class _NotWalkable(Exception):
    """Something that only the Python readers know, or that is damaged: they find out what."""


def walkable_units(data: Bytes) -> tuple[WalkedForm, list[Range]] | None:
    """The form of all documents in `data` and its units (resource spans or traces); None when Python must read it."""
    found: list[tuple[WalkedForm, Range]] = []
    try:
        at = len(_BOM) if data[:3].tobytes() == _BOM else 0
        while (at := blank_end.compiled(data, at, len(data))) < len(data):
            at = _document(data, at, found)
    except _NotWalkable:
        return None
    forms = {id(form): form for form, _ in found}
    return (forms.popitem()[1], [unit for _, unit in found]) if len(forms) == 1 else None


def _document(data: Bytes, at: int, found: list[tuple[WalkedForm, Range]]) -> int:
    """Note the units of the value that begins at `at`; behind it."""
    if data[at] == LEFT_BRACE:
        return _object(data, at, found)
    if data[at] != LEFT_BRACKET:
        raise _NotWalkable
    ranges, behind = _elements(data, at)
    for begin, end in ranges:
        if _is_trace(data, begin, end):
            found.append((JAEGER, (begin, end)))
        else:
            _document(data, begin, found)
    return behind


def _object(data: Bytes, at: int, found: list[tuple[WalkedForm, Range]]) -> int:
    first = at
    at += 1
    recognised = False
    while True:
        begin, stop, value = key_end.compiled(data, at, len(data))
        if value == -2:
            if not recognised:
                raise _NotWalkable
            return int(stop)
        if value < 0:
            raise _NotWalkable
        key, opening = data[begin:stop].tobytes(), data[value]
        if key in _OTLP_LISTS and opening == LEFT_BRACKET:
            ranges, at = _elements(data, value)
            found.extend((OTLP_JSON, unit) for unit in ranges)
            recognised = True
        elif key == b"data" and opening == LEFT_BRACKET:
            ranges, at = _elements(data, value)
            if not all(_is_trace(data, *unit) for unit in ranges):
                raise _NotWalkable
            found.extend((JAEGER, unit) for unit in ranges)
            recognised = True
        elif key in _WRAPPINGS and opening in (LEFT_BRACE, LEFT_BRACKET):
            at = _document(data, value, found)
            recognised = True
        elif key == b"traceID" or key == b"spans":
            end = _end(data, first)
            if not _is_trace(data, first, end):
                raise _NotWalkable
            found.append((JAEGER, (first, end)))
            return end
        else:
            at = _end(data, value)


def _is_trace(data: Bytes, begin: int, end: int) -> bool:
    """Whether an object is a Jaeger trace: it names itself and holds spans."""
    names = set()
    if data[begin] != LEFT_BRACE:
        return False
    at = begin + 1
    while True:
        key, stop, value = key_end.compiled(data, at, end)
        if value < 0:
            return False
        names.add(data[key:stop].tobytes())
        if {b"traceID", b"spans"} <= names:
            return True
        at = _end(data, value)


def _end(data: Bytes, at: int) -> int:
    end = int(value_end.compiled(data, at, len(data)))
    if end < 0:
        raise _NotWalkable
    return end


def _elements(data: Bytes, at: int) -> tuple[list[Range], int]:
    """Begin and end of each element of the array at `at`, and where the array ends."""
    found: list[Range] = []
    ranges = np.empty((_RANGES_AT_ONCE, 2), np.int64)
    while True:
        count, at = element_ranges.compiled(data, at, len(data), ranges)
        if at < 0:
            raise _NotWalkable
        found.extend((begin, end) for begin, end in ranges[:count].tolist())
        if count < _RANGES_AT_ONCE:
            return found, int(at)
