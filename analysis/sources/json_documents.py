"""JSON values one after another: a document, lines, pretty-printed objects with other output between, cut or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from analysis.errors import UnreadableSource
from analysis.sources.noticed import Warnings

__all__ = ["documents"]

_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+("?)|[][{}]', re.DOTALL)
_SPAN_ID_KEY = re.compile(rb'"(?:spanId|spanID|span_id|traceId|traceID|trace_id)"\s*:')
# An empty object costs three bytes of text and seventy of memory; spans have a bracket every forty bytes or so.
_LARGE_BYTES, _BYTES_PER_BRACKET = 1 << 20, 5
_CUT = "is cut short: what precedes the cut is read"


def documents(data: bytes, warnings: Warnings) -> Iterator[object]:
    """Every JSON value in `data`. Raises UnreadableSource when there is none."""
    if len(data) > _LARGE_BYTES and data.count(b"{") + data.count(b"[") > len(data) // _BYTES_PER_BRACKET:
        raise UnreadableSource(warnings.location, "JSON that is almost all brackets, and no spans")
    try:
        yield orjson.loads(data)
        return
    except orjson.JSONDecodeError as error:
        whole = error
    found = False
    wrong: list[int] = []
    for begin, end in _ranges(data):
        try:
            value = orjson.loads(data[begin:end])
        except orjson.JSONDecodeError:
            wrong.append(begin)
            continue
        found = True
        yield value
    if wrong:
        line = data.count(b"\n", 0, wrong[0]) + 1
        warnings.count(
            f"object in line {line} is not JSON and left out",
            len(wrong),
            many=f"objects are not JSON and left out, the first in line {line}",
        )
    repaired = _repaired(data)
    if repaired is not None:
        warnings.count(_CUT)
        found = True
        yield repaired
    if not found:
        raise UnreadableSource(
            warnings.location, f"not JSON ({whole.msg})", f"line {whole.lineno}, column {whole.colno}"
        )


def _ranges(data: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each complete object or array that stands outside of any other, where a line begins."""
    depth = begin = 0
    for match in _STRUCTURE.finditer(data):
        mark = data[match.start()]
        if mark in b"{[":
            if depth == 0:
                begin = match.start()
            depth += 1
        elif mark in b"}]" and depth:
            depth -= 1
            if depth == 0:
                yield begin, match.end()


def _repaired(data: bytes) -> object:
    """The last value of `data` up to its last complete span, when the data ends inside of it; else None."""
    stack: list[int] = []
    for match in _STRUCTURE.finditer(data):
        mark = data[match.start()]
        if mark in b"{[":
            stack.append(match.start())
        elif mark in b"}]" and stack:
            stack.pop()
    for depth, begin in enumerate(stack):
        if data[begin] == ord("{") and depth and data[stack[depth - 1]] == ord("["):
            following = stack[depth + 1] if depth + 1 < len(stack) else len(data)
            if depth + 1 == len(stack) or _SPAN_ID_KEY.search(data, begin, following):
                return _closed(data, stack[:depth], begin)
    return _closed(data, stack, len(data)) if stack else None


def _closed(data: bytes, stack: list[int], end: int) -> object:
    kept = data[stack[0] : end].rstrip(b" \t\r\n,") if stack else b""
    closing = bytes({ord("{"): ord("}"), ord("["): ord("]")}[data[at]] for at in reversed(stack))
    try:
        return orjson.loads(kept + closing)
    except orjson.JSONDecodeError:
        return None
