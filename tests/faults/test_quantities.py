"""Durations, sizes, rates and shares as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.quantities import (
    parse_bytes,
    parse_bytes_per_second,
    parse_milliseconds,
    parse_seconds,
    parse_share,
)

Parse = Callable[[object], float]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_seconds, "1.5s", 1.5),
        (parse_seconds, "2m", 120.0),
        (parse_seconds, "1 h", 3600.0),
        (parse_milliseconds, "400ms", 400.0),
        (parse_milliseconds, "250us", 0.25),
        (parse_milliseconds, "250µs", 0.25),
        (parse_milliseconds, 0, 0.0),
        (parse_bytes, "512B", 512),
        (parse_bytes, "64KiB", 65_536),
        (parse_bytes, "1.5kB", 1_500),
        (parse_bytes_per_second, "64KiB/s", 65_536.0),
        (parse_bytes_per_second, "100MB/s", 1e8),
        (parse_share, "5%", 0.05),
        (parse_share, 0.05, 0.05),
        (parse_share, 1, 1.0),
    ],
)
def test_means(parse: Parse, text: object, value: float) -> None:
    """Each unit has its factor."""
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (parse_seconds, "5"),
        (parse_seconds, 5),
        (parse_seconds, "-5s"),
        (parse_seconds, "5 seconds"),
        (parse_seconds, "s"),
        (parse_seconds, "1e3s"),
        (parse_seconds, "٣s"),
        (parse_seconds, "200h"),
        (parse_seconds, True),
        (parse_seconds, False),
        (parse_seconds, None),
        (parse_seconds, ["1s"]),
        (parse_bytes, "64KiB/s"),
        (parse_bytes, "64k"),
        (parse_bytes_per_second, "64KiB"),
        (parse_share, "150%"),
        (parse_share, -0.1),
        (parse_share, float("nan")),
        (parse_share, "half"),
        (parse_share, True),
    ],
)
def test_refuses_with_what_was_expected(parse: Parse, value: object) -> None:
    """A missing unit, another kind of quantity, a sign: refused in words."""
    with pytest.raises(ValueError, match=r"^expected a "):
        parse(value)


@given(st.integers(0, 10**6), st.sampled_from(["us", "ms", "s"]))
def test_units_agree(number: int, unit: str) -> None:
    """The same text read in seconds and in milliseconds differs by a thousand."""
    if number > 600_000 and unit == "s":
        return  # more than a week is refused
    assert parse_milliseconds(f"{number}{unit}") == pytest.approx(parse_seconds(f"{number}{unit}") * 1000)
