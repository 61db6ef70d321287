"""OTLP protobuf spans, walked in machine code over the raw bytes. Gives what `otlp_protobuf` gives.

Field numbers: opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto. A tag is `number << 3 | wire type`.
"""

from __future__ import annotations

import numpy as np

from analysis.kernel import bare_kernel, inlined_kernel
from analysis.sources.walk_output import (
    DOUBLE,
    GAVE_UP,
    LINKS,
    OK,
    SCRATCH,
    SPANS,
    VALUE,
    Bytes,
    Output,
    add_attribute,
    add_group,
    append_bytes,
    append_integer,
    defer,
    equals,
    finish_span,
    intern,
    signed,
)

__all__ = ["walk_message"]

_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_NULL = np.frombuffer(b"null", np.uint8)
_EXCEPTION_NAME = np.frombuffer(b"exception", np.uint8)

_NOTHING, _STRING, _BOOL, _INT, _DOUBLE, _OTHER = range(6)
_INT64_MAX = 2**63 - 1


@inlined_kernel
def _varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """The number's 64 bits and where it ends; -1 when it does not end."""
    value = np.uint64(0)
    shift = np.uint64(0)
    for i in range(at, min(at + 10, end)):
        byte = data[i]
        value |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            return signed(value), i + 1
        shift += np.uint64(7)
    return 0, -1


@inlined_kernel
def _field(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, begin of the value and end of the field that starts at `at`; end -1 when it is damaged or a group."""
    tag, begin = _varint(data, at, end)
    if begin < 0 or tag < 8 or tag >= (1 << 32):
        return 0, 0, -1
    wire = tag & 7
    if wire == 2:
        length, start = _varint(data, begin, end)
        if start < 0 or length < 0 or length > end - start:
            return 0, 0, -1
        return tag, start, start + length
    if wire == 0:
        _, stop = _varint(data, begin, end)
    elif wire == 1:
        stop = begin + 8
    elif wire == 5:
        stop = begin + 4
    else:
        stop = -1
    return tag, begin, stop if stop <= end else -1


@inlined_kernel
def _fixed64(data: Bytes, at: int) -> int:
    value = np.uint64(0)
    for i in range(8):
        value |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return signed(value)


@inlined_kernel
def _big_endian(data: Bytes, at: int) -> int:
    value = np.uint64(0)
    for i in range(8):
        value = value << np.uint64(8) | np.uint64(data[at + i])
    return signed(value)


@inlined_kernel
def _time_ns(data: Bytes, at: int) -> int:
    time_ns = _fixed64(data, at)
    return time_ns if time_ns >= 0 else _INT64_MAX


@bare_kernel
def walk_message(data: Bytes, at: int, end: int, out: Output) -> int:
    """All spans of a TracesData; OK or GAVE_UP."""
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (1 << 3 | 2) and _walk_resource_spans(data, begin, stop, out) != OK:
            return GAVE_UP
        at = stop
    return OK


@inlined_kernel
def _walk_resource_spans(data: Bytes, at: int, end: int, out: Output) -> int:
    group = add_group(out, -1, at, 0)
    if group < 0:
        return GAVE_UP
    resources = 0
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (1 << 3 | 2):
            resources += 1
            out.groups[group, 1] = begin
            out.groups[group, 2] = stop - begin
        elif tag == (2 << 3 | 2) and _walk_scope_spans(data, begin, stop, group, out) != OK:
            return GAVE_UP
        at = stop
    return OK if resources <= 1 else GAVE_UP


@inlined_kernel
def _walk_scope_spans(data: Bytes, at: int, end: int, group: int, out: Output) -> int:
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (2 << 3 | 2) and _walk_span(data, begin, stop, group, out) != OK:
            return GAVE_UP
        at = stop
    return OK


@inlined_kernel
def _walk_span(data: Bytes, at: int, end: int, group: int, out: Output) -> int:
    row = out.counts[SPANS]
    if row >= len(out.spans):
        return GAVE_UP
    span = out.spans[row]
    span[:] = 0
    span[9] = group
    name, name_length = at, 0
    message, message_length = at, 0
    event, event_length = at, -1
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (9 << 3 | 2):
            if _walk_attribute(data, begin, stop, out) != OK:
                return GAVE_UP
        elif tag == (1 << 3 | 2):
            whole = stop - begin == 16
            span[0] = _big_endian(data, begin) if whole else 0
            span[1] = _big_endian(data, begin + 8) if whole else 0
        elif tag == (2 << 3 | 2):
            span[2] = _big_endian(data, begin) if stop - begin == 8 else 0
        elif tag == (4 << 3 | 2):
            span[3] = _big_endian(data, begin) if stop - begin == 8 else 0
        elif tag == (5 << 3 | 2):
            name, name_length = begin, stop - begin
        elif tag == (6 << 3 | 0):
            kind = signed(np.int32(_varint(data, begin, stop)[0]))
            span[6] = kind if 0 <= kind <= 5 else 0
        elif tag == (7 << 3 | 1):
            span[4] = _time_ns(data, begin)
        elif tag == (8 << 3 | 1):
            span[5] = _time_ns(data, begin)
        elif tag == (11 << 3 | 2):
            if event_length < 0 and _is_exception(data, begin, stop):
                event, event_length = begin, stop - begin
        elif tag == (13 << 3 | 2):
            if _walk_link(data, begin, stop, out) != OK:
                return GAVE_UP
        elif tag == (15 << 3 | 2):
            code, said, said_length = _status(data, begin, stop)
            if code == GAVE_UP:
                return GAVE_UP
            if code > 0:
                span[7] = code - 1
            if said_length >= 0:
                message, message_length = said, said_length
        at = stop
    span[8] = intern(out.names, data, name, name_length)
    return finish_span(out, span, event, event_length, message, message_length) if span[8] >= 0 else GAVE_UP


@bare_kernel
def _status(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Code plus one (0 = not said, GAVE_UP = damaged), and the message's range (length -1 = not said)."""
    code, start, length = 0, 0, -1
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP, 0, 0
        if tag == (2 << 3 | 2):
            start, length = begin, stop - begin
        elif tag == (3 << 3 | 0):
            number = signed(np.int32(_varint(data, begin, stop)[0]))
            code = number + 1 if 0 <= number <= 2 else 1
        at = stop
    return code, start, length


@bare_kernel
def _is_exception(data: Bytes, at: int, end: int) -> bool:
    """Whether an event's name says so; a damaged one counts, since Python then finds what is wrong."""
    found = False
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return True
        if tag == (2 << 3 | 2):
            found = equals(data, begin, stop - begin, _EXCEPTION_NAME)
        at = stop
    return found


@inlined_kernel
def _walk_link(data: Bytes, at: int, end: int, out: Output) -> int:
    row = out.counts[LINKS]
    if row >= len(out.links):
        return GAVE_UP
    out.links[row, :] = 0
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (1 << 3 | 2):
            whole = stop - begin == 16
            out.links[row, 0] = _big_endian(data, begin) if whole else 0
            out.links[row, 1] = _big_endian(data, begin + 8) if whole else 0
        elif tag == (2 << 3 | 2):
            out.links[row, 2] = _big_endian(data, begin) if stop - begin == 8 else 0
        at = stop
    out.counts[LINKS] = row + 1
    return OK


@inlined_kernel
def _walk_attribute(data: Bytes, at: int, end: int, out: Output) -> int:
    key, key_length, values = at, 0, 0
    value, value_end = at, at
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (1 << 3 | 2):
            key, key_length = begin, stop - begin
        elif tag == (2 << 3 | 2):
            values += 1
            value, value_end = begin, stop
        at = stop
    word = intern(out.keys, data, key, key_length)
    if word < 0 or values > 1:
        return GAVE_UP
    return _walk_value(data, value, value_end, word, out)


@inlined_kernel
def _walk_value(data: Bytes, at: int, end: int, key: int, out: Output) -> int:
    """One attribute row for an AnyValue; of several alternatives in it the last counts."""
    whole, whole_end = at, end
    kind, start, length = _NOTHING, at, 0
    while at < end:
        tag, begin, stop = _field(data, at, end)
        if stop < 0:
            return GAVE_UP
        if tag == (1 << 3 | 2):
            kind, start, length = _STRING, begin, stop - begin
        elif tag == (2 << 3 | 0):
            kind, start, length = _BOOL, begin, stop - begin
        elif tag == (3 << 3 | 0):
            kind, start, length = _INT, begin, stop - begin
        elif tag == (4 << 3 | 1):
            kind, start, length = _DOUBLE, begin, 8
        else:
            kind = _OTHER
        at = stop
    room = True
    if kind in (_BOOL, _NOTHING):
        if kind == _NOTHING:
            place = append_bytes(out, _NULL)
        elif _varint(data, start, start + length)[0] != 0:
            place = append_bytes(out, _TRUE)
        else:
            place = append_bytes(out, _FALSE)
        start, length = place, out.counts[SCRATCH] - ~place
    elif kind == _INT:
        place = append_integer(out, _varint(data, start, start + length)[0])
        start, length = place, out.counts[SCRATCH] - ~place
    elif kind == _DOUBLE:
        room = defer(out, DOUBLE, start, 8)
    elif kind == _OTHER:
        room = defer(out, VALUE, whole, whole_end - whole)
    if not room or (start == 0 and kind != _STRING):
        return GAVE_UP
    return OK if add_attribute(out, key, start, length) else GAVE_UP
