"""JSON over raw bytes: kernels that find where values begin and end.

They accept all JSON and some texts that are nearly JSON; -1 stands for everything else.
"""

from __future__ import annotations

import numpy as np

from analysis.kernel import bare_kernel, inlined_kernel
from analysis.sources.walk_output import Bytes, Ints, signed

__all__ = [
    "BACKSLASH",
    "COLON",
    "COMMA",
    "LEFT_BRACE",
    "LEFT_BRACKET",
    "QUOTE",
    "RIGHT_BRACE",
    "RIGHT_BRACKET",
    "blank_end",
    "element_begin",
    "element_ranges",
    "hex_digit",
    "hex_in",
    "integer",
    "key_end",
    "number_in",
    "same_folded",
    "string_end",
    "value_end",
]

QUOTE, COMMA, COLON = 0x22, 0x2C, 0x3A
LEFT_BRACE, RIGHT_BRACE, LEFT_BRACKET, RIGHT_BRACKET = 0x7B, 0x7D, 0x5B, 0x5D
BACKSLASH, _MINUS, _ZERO = 0x5C, 0x2D, 0x30
_MAX_DIGITS = 19
_STOPS = np.zeros(256, np.bool_)
"""Bytes at which the text of a string is no longer plain."""
_STOPS[:0x20] = _STOPS[QUOTE] = _STOPS[BACKSLASH] = True


@inlined_kernel
def blank_end(data: Bytes, at: int, end: int) -> int:
    """Where the blanks that may stand at `at` end."""
    while at < end and (data[at] == 0x20 or data[at] == 0x0A or data[at] == 0x0D or data[at] == 0x09):
        at += 1
    return at


@bare_kernel
def string_end(data: Bytes, at: int, end: int) -> tuple[int, bool]:
    """Behind the closing quote of the string that begins at `at`, and whether it has escapes; -1 = no string."""
    escaped = False
    # Unsigned places need no look whether they count from the end.
    one, place, stop = np.uint64(1), np.uint64(at + 1), np.uint64(end)
    while True:
        while place < stop and not _STOPS[data[place]]:
            place += one
        if place >= stop or data[place] < 0x20:
            return -1, False
        if data[place] == QUOTE:
            return signed(place + one), escaped
        escaped = True
        place += np.uint64(2)


@bare_kernel
def value_end(data: Bytes, at: int, end: int) -> int:
    """Behind the value that begins at `at`; -1 = it does not end."""
    if at >= end:
        return -1
    first = data[at]
    if first == QUOTE:
        return string_end(data, at, end)[0]
    if first in (LEFT_BRACE, LEFT_BRACKET):
        depth = 0
        while at < end:
            byte = data[np.uint64(at)]
            if byte == QUOTE:
                at = string_end(data, at, end)[0]
                if at < 0:
                    return -1
                continue
            if byte in (LEFT_BRACE, LEFT_BRACKET):
                depth += 1
            elif byte in (RIGHT_BRACE, RIGHT_BRACKET):
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        return -1
    start = at
    while at < end:
        byte = data[np.uint64(at)]
        if byte in (COMMA, RIGHT_BRACE, RIGHT_BRACKET) or byte <= 0x20:
            break
        at += 1
    return at if at > start else -1


@bare_kernel
def key_end(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """In an object, behind its `{` or a `,`: begin and end of the next key's text, and where its value begins.

    Value -1 = no key or one with escapes; value -2 = the object's `}` comes first, and the second number is behind it.
    """
    at = blank_end(data, at, end)
    if at < end and data[at] == COMMA:
        at = blank_end(data, at + 1, end)
    if at < end and data[at] == RIGHT_BRACE:
        return at, at + 1, -2
    if at >= end or data[at] != QUOTE:
        return 0, 0, -1
    behind, escaped = string_end(data, at, end)
    if behind < 0 or escaped:
        return 0, 0, -1
    colon = blank_end(data, behind, end)
    if colon >= end or data[colon] != COLON:
        return 0, 0, -1
    value = blank_end(data, colon + 1, end)
    return at + 1, behind - 1, value if value < end else -1


@inlined_kernel
def element_begin(data: Bytes, at: int, end: int) -> int:
    """In an array, behind its `[` or an element: where the next element begins; -1 = damaged, -2 - p = `]` at p."""
    at = blank_end(data, at, end)
    if at < end and data[at] == COMMA:
        at = blank_end(data, at + 1, end)
    if at >= end:
        return -1
    return -2 - at if data[at] == RIGHT_BRACKET else at


@bare_kernel
def element_ranges(data: Bytes, at: int, end: int, ranges: Ints) -> tuple[int, int]:
    """Begin and end of the elements of the array whose `[` is at `at`, as many as there is room for.

    Returns how many, and where the next call goes on (at an element, or behind the `]`); -1 = damaged.
    """
    count = 0
    if at < end and data[at] == LEFT_BRACKET:
        at += 1
    while count < len(ranges):
        begin = element_begin(data, at, end)
        if begin <= -2:
            return count, -begin - 1
        at = value_end(data, begin, end) if begin >= 0 else -1
        if at < 0:
            return count, -1
        ranges[count, 0] = begin
        ranges[count, 1] = at
        count += 1
    return count, at


@bare_kernel
def hex_digit(byte: int) -> int:
    """Its value; -1 = none."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    if 65 <= byte <= 70:
        return byte - 55
    return -1


@bare_kernel
def hex_number(data: Bytes, begin: int, end: int) -> tuple[int, int, bool]:
    """The high and low 64 bits of at most 32 hex digits, and whether they are that."""
    high, low = np.uint64(0), np.uint64(0)
    if end - begin > 32:
        return 0, 0, False
    for i in range(begin, end):
        digit = hex_digit(signed(data[i]))
        if digit < 0:
            return 0, 0, False
        high = high << np.uint64(4) | low >> np.uint64(60)
        low = low << np.uint64(4) | np.uint64(digit)
    return signed(high), signed(low), True


@bare_kernel
def integer(data: Bytes, begin: int, end: int) -> tuple[int, bool]:
    """A whole number of 64 bits, and whether it is that, written as JSON writes it."""
    at = begin
    negative = at < end and data[at] == _MINUS
    if negative:
        at += 1
    digits = end - at
    if digits < 1 or digits > _MAX_DIGITS or (data[at] == _ZERO and (digits > 1 or negative)):
        return 0, False
    value = np.uint64(0)
    while at < end:
        digit = signed(data[at]) - _ZERO
        if digit < 0 or digit > 9:
            return 0, False
        value = value * np.uint64(10) + np.uint64(digit)
        at += 1
    small = signed(value)
    return -small if negative else small, small >= 0


@inlined_kernel
def number_in(data: Bytes, begin: int, end: int) -> tuple[int, bool]:
    """The same for a value that may stand in quotes."""
    if end - begin >= 2 and data[begin] == QUOTE:
        return integer(data, begin + 1, end - 1)
    return integer(data, begin, end)


@inlined_kernel
def hex_in(data: Bytes, begin: int, end: int) -> tuple[int, int, bool]:
    """High and low 64 bits of a value that is a string of hex digits or null; and whether it is that."""
    if data[begin] == 0x6E:  # null
        return 0, 0, True
    if end - begin < 2 or data[begin] != QUOTE:
        return 0, 0, False
    return hex_number(data, begin + 1, end - 1)


@bare_kernel
def same_folded(data: Bytes, begin: int, end: int, word: Bytes) -> bool:
    """Whether the range holds this lower-case word, in whatever case."""
    if end - begin != len(word):
        return False
    for i in range(len(word)):
        byte = data[begin + i]
        if 65 <= byte <= 90:
            byte += 32
        if byte != word[i]:
            return False
    return True
