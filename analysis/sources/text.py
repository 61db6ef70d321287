"""How attribute values become text, and ids become numbers: the same in every form."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from analysis.sources.noticed import Warnings

__all__ = ["NO_TRACE", "bytes_text", "double_text", "json_text", "span_id_of", "trace_id_of", "value_text"]

NO_TRACE = bytes(16)
_BASE64_TRACE_ID, _BASE64_SPAN_ID = 24, 12


def value_text(value: object) -> str:
    """A JSON value as the table holds it: text as it is, everything else as JSON writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return double_text(value)
    return json_text(value)


def double_text(value: float) -> str:
    """Shortest decimal that reads back the same; protobuf's words for what JSON cannot write."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return orjson.dumps(value).decode()


def json_text(value: object) -> str:
    """Compact JSON."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def bytes_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def trace_id_of(value: object, warnings: Warnings) -> bytes:
    """16 bytes from hex (64 or 128 bit), `0x` hex, or base64 as protobuf's own JSON writes it; other text is hashed."""
    if not isinstance(value, str) or not value:
        return NO_TRACE
    if len(value) == _BASE64_TRACE_ID and (raw := _from_base64(value, 16)):
        return raw
    number = _from_hex(value)
    if number is not None and number < 2**128:
        return number.to_bytes(16, "big")
    warnings.count("id is not hexadecimal: hashed", many="ids are not hexadecimal: hashed")
    return hashlib.blake2b(value.encode(), digest_size=16).digest()


def span_id_of(value: object, warnings: Warnings) -> int:
    """The same for the 64 bits of a span id; 0 = none."""
    if not isinstance(value, str) or not value:
        return 0
    if len(value) == _BASE64_SPAN_ID and (raw := _from_base64(value, 8)):
        return int.from_bytes(raw, "big")
    number = _from_hex(value)
    if number is not None and number < 2**64:
        return number
    warnings.count("id is not hexadecimal: hashed", many="ids are not hexadecimal: hashed")
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")


def _from_hex(value: str) -> int | None:
    # int() would also take signs, blanks and underscores.
    digits = value[2:] if value[:2] in ("0x", "0X") else value
    if not digits.isascii() or not digits.isalnum() or len(digits) > 32:
        return None
    try:
        return int(digits, 16)
    except ValueError:
        return None


def _from_base64(value: str, length: int) -> bytes | None:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length else None


def texts(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A JSON object of attributes as pairs of texts; null values are absent."""
    return [(str(key), value_text(value)) for key, value in attributes.items() if value is not None]
