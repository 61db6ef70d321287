from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.printable import printable, shortened


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("POST /checkout", "POST /checkout"),
        ("Zürich → 東京 ✓", "Zürich → 東京 ✓"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://evil\x07click\x1b]8;;\x07", "\\x1b]8;;http://evil\\x07click\\x1b]8;;\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb\nc\td", "a\\x0db\\x0ac\\x09d"),
        ("invoice\u202efdp.exe", "invoice\\u202efdp.exe"),
        ("\ufeffname\u200b", "\\ufeffname\\u200b"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_a_name_is_shown_with_what_would_steer_a_terminal_written_out(name: str, shown: str) -> None:
    """Letters of any script stay; escapes, line breaks and invisible or direction marks become visible."""
    assert printable(name) == shown


@given(st.text(st.characters(exclude_categories=[]), max_size=200))
def test_no_text_leaves_a_character_that_is_not_printable(text: str) -> None:
    """Whatever a span is called, the result is one line of characters that have a picture."""
    shown = printable(text)
    assert all(character.isprintable() or character.isspace() for character in shown)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1


@given(st.text(max_size=80), st.integers(0, 60))
def test_shortened_text_fits(text: str, width: int) -> None:
    """No more than `width` characters, and unchanged when it fits."""
    shown = shortened(text, width)
    assert len(shown) <= width
    if len(printable(text)) <= width:
        assert shown == printable(text)


def test_both_ends_of_a_long_name_stay() -> None:
    """A hop's caller and callee can still be told from a shortened name."""
    shown = shortened("recommendation-service->postgresql", 20)
    assert shown.startswith("recommendatio")
    assert shown.endswith("gresql")
