"""Where the messages of an OTLP protobuf file begin and end, and what they hold.

Lengths before messages are 4 bytes big-endian (`tracegap collect`; the OpenTelemetry Collector's file exporter with
`format: proto`) or varints (protobuf's delimited streams); a file may also be one message alone.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

__all__ = ["Range", "delimited", "entry_ends", "frames", "holds_logs", "varint"]

Buffer = bytes | mmap.mmap | memoryview
Range = tuple[int, int]

_LENGTH_BYTES = 4
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types
_SCOPE = _RECORD = 2  # field numbers on the way from a resource to its first record
_ONLY_OF_LOGS = {
    1 << 3 | _FIXED64,  # time
    2 << 3 | _VARINT,  # severity
    8 << 3 | _FIXED32,  # flags
    11 << 3 | _FIXED64,  # observed time
}
_ONLY_OF_SPANS = {
    1 << 3 | _LENGTH,  # trace id
    2 << 3 | _LENGTH,  # span id
    6 << 3 | _VARINT,  # kind
    7 << 3 | _FIXED64,  # start
    8 << 3 | _FIXED64,  # end
}


def frames(data: Buffer) -> Iterator[Range]:
    """Begin and end of each message behind 4 bytes of length; one that is cut short ends beyond the data."""
    at = 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big") if begin <= len(data) else len(data) + 1
        yield begin, at


def delimited(data: Buffer) -> Iterator[Range]:
    """The same behind varints."""
    at = 0
    while at < len(data):
        length, begin = varint(data, at)
        at = begin + length if begin else len(data) + 1
        yield begin, at


def entry_ends(data: Buffer) -> Iterator[int]:
    """Where each complete top-level field of a message ends; the last is the message's end, unless it is cut short."""
    at = 0
    while at < len(data):
        end = _field_end(data, at)
        if end is None or end > len(data):
            return
        yield end
        at = end


def holds_logs(message: Buffer) -> bool:
    """Whether the records of an export are logs, by the wire types of numbers that mean other things in spans.

    Both exports have the same outer form, so the first record decides. One that has neither ids nor times nor a
    severity can only be a log: it is of no use as a span.
    """
    record = _first_record(message)
    if record is None:
        return False
    at, end = record
    while at < end:
        tag, after = varint(message, at)
        following = _field_end(message, at)
        if not after or following is None:
            return False
        if tag in _ONLY_OF_LOGS:
            return True
        if tag in _ONLY_OF_SPANS:
            return False
        at = following
    return True


def _first_record(message: Buffer) -> Range | None:
    """Begin and end of the first span or log record: the first scope of any resource that has one."""
    at = 0
    while at < len(message):
        end = _field_end(message, at)
        if end is None:
            return None
        for scope in _children(message, (at, end), _SCOPE):
            for record in _children(message, scope, _RECORD):
                return varint(message, varint(message, record[0])[1])[1], record[1]
        at = end
    return None


def _children(message: Buffer, field: Range, number: int) -> Iterator[Range]:
    """Fields with this number, length-delimited, inside a length-delimited field."""
    at = varint(message, varint(message, field[0])[1])[1]
    while at < field[1]:
        end = _field_end(message, at)
        if end is None or end > field[1]:
            return
        if varint(message, at)[0] == (number << 3 | _LENGTH):
            yield at, end
        at = end


def _field_end(data: Buffer, at: int) -> int | None:
    """Where the field that begins at `at` ends; None when it is no field."""
    tag, after = varint(data, at)
    if not after or tag >> 3 == 0:
        return None
    match tag & 7:
        case 0:
            return varint(data, after)[1] or None
        case 1:
            return after + 8
        case 2:
            length, begin = varint(data, after)
            return begin + length if begin else None
        case 5:
            return after + 4
    return None


def varint(data: Buffer, at: int) -> tuple[int, int]:
    """The number at `at` and where it ends; (0, 0) when there is none."""
    value = 0
    for index in range(10):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    return 0, 0
