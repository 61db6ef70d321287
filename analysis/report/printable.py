"""Names from traces are data: whatever a span is called, a terminal shows it and obeys nothing in it."""

from __future__ import annotations

import unicodedata

__all__ = ["one_line", "printable", "shortened"]

# Cc: escape sequences, backspaces, line breaks. Cf: marks that turn the writing direction around (U+202E) or hide
# text. Cs, Co, Cn: nothing that has a picture. Zl, Zp: line breaks that are no control characters.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text on one line, with every character that steers a terminal written as `\\x1b` or `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def shortened(text: str, width: int) -> str:
    """The printable text in at most `width` characters, its middle left out: both ends of a route tell it apart."""
    shown = printable(text)
    if len(shown) <= width:
        return shown
    if width < 5:
        return shown[:width]
    tail = (width - 1) // 3
    return f"{shown[: width - 1 - tail]}…{shown[len(shown) - tail :]}"


def one_line(text: str) -> str:
    """Lines of a log record, on one: a stack trace stays readable."""
    return printable(" ⏎ ".join(line.strip() for line in text.splitlines()))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
