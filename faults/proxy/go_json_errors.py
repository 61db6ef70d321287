"""Go's words for what is wrong with a JSON text: a scanner that is only asked once a text is known to be broken."""

from __future__ import annotations

import re

__all__ = ["syntax_error"]

MAX_DEPTH = 10_000
PLAIN_STRING = re.compile(r'[^"\\\x00-\x1f]*')
WHITESPACE = re.compile(r"[ \t\r\n]*")
LITERALS = {"t": "true", "f": "false", "n": "null"}
ESCAPES = 'bfnrt\\/"'
DIGITS = re.compile(r"[0-9]*")

UNEXPECTED_END = "unexpected EOF"


class _Broken(Exception):
    """The text is broken; the message says how."""


def syntax_error(body: bytes) -> str:
    """The error text for a body that holds no JSON value at its beginning.

    Works on bytes, as Go does: a byte beyond ASCII is named as the Latin-1 character with its number.
    """
    text = body.decode("latin-1")
    if not text.strip(" \t\r\n"):
        return "EOF"
    try:
        _scan(text)
    except _Broken as broken:
        return str(broken)
    return "invalid character '[' exceeded max depth"  # sound, but deeper than the standard library goes


def _scan(text: str) -> None:
    """Walk over one value; raises `_Broken` at the first byte that cannot stand where it stands."""
    open_brackets: list[str] = []
    position = 0
    while True:
        position = _scan_value_start(text, position, open_brackets)
        position = _scan_after_value(text, position, open_brackets)
        if not open_brackets:
            return


def _scan_value_start(text: str, position: int, open_brackets: list[str]) -> int:
    """Up to the end of a scalar, or into as many brackets as open here."""
    while True:
        position = _skip_space(text, position)
        char = _char(text, position)
        if char not in "{[":
            return _scan_scalar(text, position)
        open_brackets.append(char)
        if len(open_brackets) > MAX_DEPTH:
            raise _unexpected(char, "exceeded max depth")
        position = _skip_space(text, position + 1)
        following = _char(text, position)
        if following == ("}" if char == "{" else "]"):
            open_brackets.pop()
            return position + 1
        if char == "{":
            position = _scan_key(text, position)


def _scan_after_value(text: str, position: int, open_brackets: list[str]) -> int:
    """Past closing brackets, to where the next value has to begin."""
    while open_brackets:
        position = _skip_space(text, position)
        char = _char(text, position)
        in_object = open_brackets[-1] == "{"
        if char == ",":
            position += 1
            return _scan_key(text, _skip_space(text, position)) if in_object else position
        if char != ("}" if in_object else "]"):
            raise _unexpected(char, "after object key:value pair" if in_object else "after array element")
        open_brackets.pop()
        position += 1
    return position


def _scan_key(text: str, position: int) -> int:
    char = _char(text, position)
    if char != '"':
        raise _unexpected(char, "looking for beginning of object key string")
    position = _skip_space(text, _scan_string(text, position))
    char = _char(text, position)
    if char != ":":
        raise _unexpected(char, "after object key")
    return position + 1


def _scan_scalar(text: str, position: int) -> int:
    char = _char(text, position)
    if char == '"':
        return _scan_string(text, position)
    if char == "-" or char.isdecimal():
        return _scan_number(text, position)
    word = LITERALS.get(char)
    if word is None:
        raise _unexpected(char, "looking for beginning of value")
    for expected in word[1:]:
        position += 1
        char = _char(text, position)
        if char != expected:
            raise _unexpected(char, f"in literal {word} (expecting {_quoted(expected)})")
    return position + 1


def _scan_string(text: str, position: int) -> int:
    position += 1
    while True:
        match = PLAIN_STRING.match(text, position)
        position = match.end() if match else position
        char = _char(text, position)
        if char == '"':
            return position + 1
        if char != "\\":
            raise _unexpected(char, "in string literal")
        position += 1
        char = _char(text, position)
        if char == "u":
            for position in range(position + 1, position + 5):  # noqa: B020 - counts on from where it stands
                char = _char(text, position)
                if char not in "0123456789abcdefABCDEF":
                    raise _unexpected(char, "in \\u hexadecimal character escape")
        elif char not in ESCAPES:
            raise _unexpected(char, "in string escape code")
        position += 1


def _scan_number(text: str, position: int) -> int:
    if text[position] == "-":
        position += 1
        if _char(text, position) not in "0123456789":
            raise _unexpected(text[position], "in numeric literal")
    position = position + 1 if text[position] == "0" else _skip_digits(text, position)
    if text[position : position + 1] == ".":
        position = _scan_digits(text, position + 1, "after decimal point in numeric literal")
    if text[position : position + 1] in ("e", "E"):
        position += 1
        if text[position : position + 1] in ("+", "-"):
            position += 1
        position = _scan_digits(text, position, "in exponent of numeric literal")
    return position


def _scan_digits(text: str, position: int, place: str) -> int:
    char = _char(text, position)
    if char not in "0123456789":
        raise _unexpected(char, place)
    return _skip_digits(text, position)


def _skip_digits(text: str, position: int) -> int:
    match = DIGITS.match(text, position)
    return match.end() if match else position


def _skip_space(text: str, position: int) -> int:
    match = WHITESPACE.match(text, position)
    return match.end() if match else position


def _char(text: str, position: int) -> str:
    if position >= len(text):
        raise _Broken(UNEXPECTED_END)
    return text[position]


def _unexpected(char: str, place: str) -> _Broken:
    return _Broken(f"invalid character {_quoted(char)} {place}")


def _quoted(char: str) -> str:
    """A byte in single quotes, escaped as Go escapes it."""
    if char == "'":
        return r"'\''"
    if char == '"':
        return "'\"'"
    special = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\"}
    if char in special:
        return f"'{special[char]}'"
    if char < " " or char == "\x7f":
        return f"'\\x{ord(char):02x}'"
    if "\x7f" < char < "\xa1" or char == "\xad":
        return f"'\\u{ord(char):04x}'"
    return f"'{char}'"
