"""The text of JSON strings: as it stands in the bytes, or with its escapes undone in the scratch."""

from __future__ import annotations

from analysis.kernel import bare_kernel
from analysis.sources.json_scan import BACKSLASH, QUOTE, hex_digit, string_end
from analysis.sources.walk_output import SCRATCH, Bytes, Output, intern, signed

__all__ = ["intern_name", "text_in"]


@bare_kernel
def intern_name(data: Bytes, at: int, end: int, out: Output) -> int:
    """The number of a name in quotes (an empty range is an empty name); -1 = gave up."""
    if at == end:
        return intern(out.names, data, at, 0)
    stop, escaped = string_end(data, at, end)
    if stop != end:
        return -1
    if not escaped:
        return intern(out.names, data, at + 1, end - at - 2)
    before = out.counts[SCRATCH]
    place, length = unescaped(data, at + 1, end - 1, out)
    out.counts[SCRATCH] = before
    return intern(out.names, out.scratch, ~place, length) if length >= 0 else -1


@bare_kernel
def text_in(data: Bytes, at: int, end: int, out: Output) -> tuple[int, int]:
    """Place and length of a string's text; length -1 = gave up."""
    if data[at] != QUOTE:
        return 0, -1
    stop, escaped = string_end(data, at, end)
    if stop != end:
        return 0, -1
    return unescaped(data, at + 1, end - 1, out) if escaped else (at + 1, end - at - 2)


@bare_kernel
def unescaped(data: Bytes, begin: int, end: int, out: Output) -> tuple[int, int]:
    """Write a string's text to the scratch: its place as attributes name it, and its length (-1 = bad escape)."""
    first = out.counts[SCRATCH]
    to = first
    at = begin
    scratch = out.scratch
    if first + end - begin > len(scratch):
        return 0, -1
    while at < end:
        byte = data[at]
        if byte != BACKSLASH:
            scratch[to] = byte
            to += 1
            at += 1
            continue
        if at + 1 >= end:
            return 0, -1
        mark = data[at + 1]
        at += 2
        if mark == 0x75:  # u
            code = _code_unit(data, at, end)
            at += 4
            if 0xD800 <= code < 0xDC00 and at + 1 < end and data[at] == BACKSLASH and data[at + 1] == 0x75:
                low = _code_unit(data, at + 2, end)
                at += 6
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) if 0xDC00 <= low < 0xE000 else -1
            if code < 0 or 0xD800 <= code < 0xE000:
                return 0, -1
            to = _utf8(code, scratch, to)
            continue
        plain = _plain_escape(mark)
        if plain < 0:
            return 0, -1
        scratch[to] = plain
        to += 1
    out.counts[SCRATCH] = to
    return ~first, to - first


@bare_kernel
def _code_unit(data: Bytes, at: int, end: int) -> int:
    if at + 4 > end:
        return -1
    code = 0
    for i in range(at, at + 4):
        digit = hex_digit(signed(data[i]))
        if digit < 0:
            return -1
        code = code << 4 | digit
    return code


@bare_kernel
def _plain_escape(mark: int) -> int:
    if mark in (QUOTE, BACKSLASH, 0x2F):
        return signed(mark)
    if mark == 0x6E:
        return 0x0A
    if mark == 0x74:
        return 0x09
    if mark == 0x72:
        return 0x0D
    if mark == 0x62:
        return 0x08
    return 0x0C if mark == 0x66 else -1


@bare_kernel
def _utf8(code: int, to: Bytes, at: int) -> int:
    """Write a code point; behind it. Never longer than the escape that it was."""
    if code < 0x80:
        to[at] = code
        return at + 1
    if code < 0x800:
        to[at] = 0xC0 | code >> 6
        to[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        to[at] = 0xE0 | code >> 12
        to[at + 1] = 0x80 | code >> 6 & 0x3F
        to[at + 2] = 0x80 | code & 0x3F
        return at + 3
    to[at] = 0xF0 | code >> 18
    to[at + 1] = 0x80 | code >> 12 & 0x3F
    to[at + 2] = 0x80 | code >> 6 & 0x3F
    to[at + 3] = 0x80 | code & 0x3F
    return at + 4
