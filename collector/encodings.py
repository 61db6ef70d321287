"""From what travelled to an export request in protobuf: decompression with a bound, and OTLP/JSON."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from collector.errors import Malformed, TooLarge, Unsupported

__all__ = ["MAX_BYTES", "decompress", "from_json"]

MAX_BYTES = 64 * 1024 * 1024
"""Largest request, as it travels and decompressed."""

_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_HEX_FIELDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def decompress(body: bytes, encoding: str) -> bytes:
    """Raises Unsupported, Malformed, or TooLarge as soon as MAX_BYTES are passed."""
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise Unsupported(f"content encoding {encoding!r}: expected gzip, deflate or identity")
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        plain = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise Malformed(f"the body is not {encoding}: {error}") from error
    if len(plain) > MAX_BYTES:
        raise TooLarge(f"over {MAX_BYTES} bytes after decompression")
    if not unpacker.eof:
        raise Malformed(f"the {encoding} body ends early")
    return plain


def from_json(body: bytes, request: Message) -> bytes:
    """OTLP/JSON as protobuf. Raises Malformed with the place.

    OTLP/JSON is protobuf's JSON mapping with ids in hex instead of base64, and unknown fields are to be ignored
    (OTLP specification, section "JSON Protobuf Encoding").
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Malformed(f"expected a JSON object, found {type(document).__name__}")
    _ids_to_base64(document)
    try:
        json_format.ParseDict(document, request, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise Malformed(f"not an {request.DESCRIPTOR.name}: {error}") from error
    return request.SerializeToString()


def _ids_to_base64(document: dict[str, Any]) -> None:
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key in _HEX_FIELDS and isinstance(inner, str):
                    value[key] = _hex_to_base64(key, inner)
                else:
                    waiting.append(inner)


def _hex_to_base64(key: str, text: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(text)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{key} {text[:40]!r}: expected hexadecimal") from error
