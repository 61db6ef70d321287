from __future__ import annotations

import pytest

from analysis.report import words


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "–"), (0.0, "0 ms"), (0.0042, "0.0042 ms"), (0.000001, "1e-06 ms"), (0.42, "0.42 ms"),
        (3.42, "3.4 ms"), (99.94, "99.9 ms"), (152.4, "152 ms"),
        (1501.2, "1,501 ms"), (9999.0, "9,999 ms"), (12_345.0, "12.3 s"), (467_000.0, "467 s"), (-3.4, "-3.4 ms"),
    ],
)  # fmt: skip
def test_milliseconds_keep_the_digits_that_matter(ms: float | None, shown: str) -> None:
    """Whole milliseconds are never rounded away below ten seconds."""
    assert words.milliseconds(ms) == shown


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (0.0, "0 %"), (0.00066, "0.07 %"), (0.00001, "0.01 %"), (0.0042, "0.4 %"),
        (0.1745, "17 %"), (0.987, "99 %"), (0.995, "99.5 %"),
        (0.99999, "99.9 %"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_percents_say_all_and_nothing_only_when_it_is(part: float, shown: str) -> None:
    """0.99999 is not 100 %, and 0.00001 is not 0 %."""
    assert words.percent(part) == shown


@pytest.mark.parametrize(("time_ns", "shown"), [(0, "00:00:00.000"), (1_767_225_661_105_999_999, "00:01:01.105")])
def test_clock_times_are_utc_with_milliseconds(time_ns: int, shown: str) -> None:
    """The fraction is cut, not rounded into the next second."""
    assert words.clock_time(time_ns) == shown


def test_a_time_out_of_the_calendar_is_shown_raw() -> None:
    """A span with a nonsense clock does not break a report."""
    assert words.clock_time(2**63 - 1, day=True) == "2262-04-11 23:47:16Z"
    assert words.clock_time(-(2**80)).endswith(" ns")
