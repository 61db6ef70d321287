"""Durations, sizes, rates and shares as people write them: `1.5s`, `400ms`, `64KiB`, `64KiB/s`, `5%`.

Every parser takes what YAML gave it, returns a number in the unit of its name, and raises ValueError with the
sentence that says what was expected. A number without its unit is refused: nobody can tell 5 s from 5 ms by looking.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

__all__ = [
    "ByteCount",
    "BytesPerSecond",
    "Milliseconds",
    "Seconds",
    "Share",
    "parse_bytes",
    "parse_bytes_per_second",
    "parse_milliseconds",
    "parse_seconds",
    "parse_share",
]

_NUMBER = r"(\d{1,15}(?:\.\d{1,9})?)"
_DURATION = re.compile(rf"{_NUMBER} ?(us|µs|ms|s|m|min|h)", re.ASCII)
_SIZE = re.compile(rf"{_NUMBER} ?(B|kB|KB|KiB|MB|MiB|GB|GiB)", re.ASCII)
_RATE = re.compile(rf"{_NUMBER} ?(B|kB|KB|KiB|MB|MiB|GB|GiB)/s", re.ASCII)
_PERCENT = re.compile(rf"{_NUMBER} ?%", re.ASCII)

_SECONDS_PER = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BYTES_PER = {"B": 1, "kB": 10**3, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}

LONGEST_S = 7 * 24 * 3600.0
LARGEST_BYTES = 2**50


def _parse(value: object, pattern: re.Pattern[str], units: dict[str, float] | dict[str, int], expected: str) -> float:
    if value == 0 and not isinstance(value, bool):
        return 0.0  # nothing is nothing in every unit
    match = pattern.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected {expected}, got {_shown(value)}")
    return float(match[1]) * units[match[2]]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_seconds(value: object) -> float:
    """`1.5s` -> 1.5. At most a week."""
    seconds = _parse(value, _DURATION, _SECONDS_PER, "a duration such as 400ms, 1.5s or 2m")
    if seconds > LONGEST_S:
        raise ValueError(f"expected a duration of at most 168h, got {_shown(value)}")
    return seconds


def parse_milliseconds(value: object) -> float:
    """`1.5s` -> 1500.0. At most a week."""
    return parse_seconds(value) * 1e3


def parse_bytes(value: object) -> int:
    """`64KiB` -> 65536."""
    size = _parse(value, _SIZE, _BYTES_PER, "a size such as 512B, 64KiB or 1.5MB")
    if size > LARGEST_BYTES:
        raise ValueError(f"expected a size of at most 1048576GiB, got {_shown(value)}")
    return round(size)


def parse_bytes_per_second(value: object) -> float:
    """`64KiB/s` -> 65536.0."""
    rate = _parse(value, _RATE, _BYTES_PER, "a rate such as 64KiB/s or 1.5MB/s")
    if rate > LARGEST_BYTES:
        raise ValueError(f"expected a rate of at most 1048576GiB/s, got {_shown(value)}")
    return rate


def parse_share(value: object) -> float:
    """`5%` -> 0.05, and 0.05 -> 0.05. From 0 to 1."""
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        share = float(match[1]) / 100
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        share = float(value)
    else:
        raise ValueError(f"expected a share such as 5% or 0.05, got {_shown(value)}")
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share from 0 to 1 (0% to 100%), got {_shown(value)}")
    return share


def _written(title: str, pattern: re.Pattern[str], example: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": f"^{pattern.pattern}$", "examples": [example]}
    return WithJsonSchema({"title": title, "anyOf": [text, {"const": 0}]})


Seconds = Annotated[float, BeforeValidator(parse_seconds), _written("duration", _DURATION, "1.5s")]
Milliseconds = Annotated[float, BeforeValidator(parse_milliseconds), _written("duration", _DURATION, "400ms")]
ByteCount = Annotated[int, BeforeValidator(parse_bytes), _written("size", _SIZE, "64KiB")]
BytesPerSecond = Annotated[float, BeforeValidator(parse_bytes_per_second), _written("rate", _RATE, "64KiB/s")]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema(
        {
            "title": "share",
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": f"^{_PERCENT.pattern}$", "examples": ["5%"]},
            ],
        }
    ),
]
