"""The form of a file, by its first bytes."""

from __future__ import annotations

import mmap
from enum import Enum, auto

from analysis.sources.otlp_frames import varint

__all__ = ["Form", "form_of"]

Buffer = bytes | mmap.mmap

_MAX_FRAME_BYTES = 64 << 20
_RESOURCE = 0x0A  # field 1, length-delimited: what every OTLP export message begins with, and what lies inside it too
_SCOPES = 0x12
_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096
_TEXT_BYTES = 96


class Form(Enum):
    PARQUET = auto()
    OTLP_FRAMES = auto()  # messages behind 4-byte big-endian lengths
    OTLP_DELIMITED = auto()  # messages behind varint lengths
    OTLP_MESSAGE = auto()
    JSON = auto()
    EMPTY = auto()
    UNKNOWN = auto()


def form_of(data: Buffer) -> Form:
    """The form of `data`, which is not compressed. O(1)."""
    head = bytes(data[:_HEAD_BYTES])
    if head[:4] == b"PAR1":
        return Form.PARQUET
    if not head.removeprefix(_BOM).strip():
        return Form.EMPTY if len(head) == len(data) else Form.JSON
    if _is_text(head):
        return Form.JSON if b"{" in head or b"[" in head else Form.UNKNOWN
    if _is_frames(head):
        return Form.OTLP_FRAMES
    length, begin = varint(head, 0)
    if begin and _is_message(head, begin, begin + length) and not _is_message(head, 0, len(data)):
        return Form.OTLP_DELIMITED
    return Form.OTLP_MESSAGE if _is_message(head, 0, None) else Form.UNKNOWN


def _is_text(head: bytes) -> bool:
    """No control characters: within its first bytes every OTLP message has some that JSON cannot have."""
    return all(byte >= 0x20 or byte in b"\t\n\r" for byte in head[:_TEXT_BYTES])


def _is_frames(head: bytes) -> bool:
    """A length in bounds, then a message or the end. An empty message (length 0) is a frame, too."""
    at = 0
    while head[at : at + 4] == b"\0\0\0\0":
        at += 4
    length = int.from_bytes(head[at : at + 4], "big")
    if at and at >= len(head) - 3:
        return True
    return length <= _MAX_FRAME_BYTES and _is_message(head, at + 4, at + 4 + length)


def _is_message(head: bytes, at: int, end: int | None) -> bool:
    """Field 1 within the bounds, and in it the resource or the scopes."""
    if at >= len(head) or head[at] != _RESOURCE:
        return False
    length, begin = varint(head, at + 1)
    if not begin or (end is not None and begin + length > end):
        return False
    return length == 0 or begin >= len(head) or head[begin] in (_RESOURCE, _SCOPES, 0x1A)
