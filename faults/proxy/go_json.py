"""JSON as Go's encoding/json reads and writes it: first value of the body, field names in any case, its error texts.

The scanner finds the value, or Go's words for what is wrong with it; the standard library decodes it.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable
from typing import Any

from faults.proxy.go_json_scanner import JsonSyntaxError, scan

__all__ = ["JsonObject", "JsonValue", "Number", "float32", "read", "type_name", "write"]


class Number(str):
    """A number as it was spelled."""

    __slots__ = ()


class JsonObject(tuple[tuple[str, "JsonValue"], ...]):
    """Members in the order in which they stood, repeated names included."""

    __slots__ = ()


JsonValue = JsonObject | list["JsonValue"] | Number | str | bool | None

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


_decoder = json.JSONDecoder(object_pairs_hook=JsonObject, parse_int=Number, parse_float=Number)


def read(body: bytes) -> JsonValue:
    """The first value of a body; what follows it is ignored. Raises `JsonSyntaxError` with Go's text."""
    start, end = scan(body)
    try:
        value: JsonValue = _decoder.decode(body[start:end].decode("utf-8", "replace"))
    except RecursionError:
        raise JsonSyntaxError("invalid character '[' exceeded max depth") from None
    return value


def type_name(value: JsonValue) -> str:
    """What Go calls a value of this type in its error texts."""
    if isinstance(value, Number):
        return "number"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, JsonObject):
        return "object"
    return "array" if isinstance(value, list) else "string"


def clean(text: str) -> str:
    """Replace halves of surrogate pairs, which Go does not keep."""
    return LONE_SURROGATE.sub("\ufffd", text)


def float32(text: str) -> float | None:
    """The nearest 32-bit float, None when there is none."""
    try:
        value: float = struct.unpack("f", struct.pack("f", float(text)))[0]
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def write(value: Any) -> str:
    """Compact JSON, with the characters escaped that Go escapes for HTML's sake. Floats are taken as 32-bit."""
    text = "".join(_parts(value))
    return text.translate(ESCAPED_FOR_HTML)


ESCAPED_FOR_HTML = str.maketrans(
    {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}
)


def _parts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        yield "{"
        for position, (key, member) in enumerate(value.items()):
            yield f"{',' if position else ''}{json.dumps(key, ensure_ascii=False)}:"
            yield from _parts(member)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for position, member in enumerate(value):
            if position:
                yield ","
            yield from _parts(member)
        yield "]"
    elif isinstance(value, float):
        yield _float32_text(value)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _float32_text(value: float) -> str:
    """The shortest digits that name the nearest 32-bit float, with an exponent only outside 1e-6 to 1e21."""
    value = struct.unpack("f", struct.pack("f", value))[0]
    digits = next(text for precision in range(1, 18) if float32(text := f"{value:.{precision - 1}e}") == value)
    mantissa, exponent_text = digits.split("e")
    exponent = int(exponent_text)
    if value and not -6 <= exponent < 21:
        return f"{_strip(mantissa)}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
    decimals = max(len(mantissa.lstrip("-").replace(".", "")) - 1 - exponent, 0)
    plain = f"{float(digits):.{decimals}f}"
    return _strip(plain)


def _strip(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
