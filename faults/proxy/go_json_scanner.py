"""Where the first JSON value of a text ends, or what is wrong with it in the words of Go's scanner."""

from __future__ import annotations

import re

__all__ = ["JsonSyntaxError", "scan"]

MAX_DEPTH = 10_000
PLAIN_STRING = re.compile(r'[^"\\\x00-\x1f]*')
WHITESPACE = re.compile(r"[ \t\r\n]*")
LITERALS = {"t": "true", "f": "false", "n": "null"}
ESCAPES = 'bfnrt\\/"'
DIGITS = re.compile(r"[0-9]*")

UNEXPECTED_END = "unexpected EOF"

# Sound stretches of flat values are skipped by one match each, because most of a large body is that. The number of
# values in a match is bounded: while a match runs, no other thread does.
_SPACE = r"[ \t\r\n]*+"
_STRING = r'"(?>[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"'
_NUMBER = r"-?(?>0|[1-9][0-9]*+)(?>\.[0-9]++)?+(?>[eE][+-]?[0-9]++)?+"
_ATOM = rf"{_SPACE}(?>{_STRING}|{_NUMBER}|true|false|null|\[{_SPACE}\]|\{{{_SPACE}\}}){_SPACE}"
_MEMBER = rf"{_SPACE}{_STRING}{_SPACE}:{_ATOM}"
_FLAT = rf"(?>{_ATOM}|{_SPACE}\[(?>{_ATOM},)*+{_ATOM}\]{_SPACE}|{_SPACE}\{{(?>{_MEMBER},)*+{_MEMBER}\}}{_SPACE})"
ELEMENTS = re.compile(rf"(?>{_FLAT},){{0,10000}}+")
MEMBERS = re.compile(rf"(?>{_SPACE}{_STRING}{_SPACE}:{_FLAT},){{0,10000}}+")


class JsonSyntaxError(ValueError):
    """The text holds no JSON value at its beginning; the message is Go's."""


def scan(body: bytes) -> tuple[int, int]:
    """Begin and end of the first value of a body.

    Works on bytes, as Go does: a byte beyond ASCII is named as the Latin-1 character with its number.
    """
    text = body.decode("latin-1")
    position = start = _skip_space(text, 0)
    if start == len(text):
        raise JsonSyntaxError("EOF")
    open_brackets: list[str] = []
    while True:
        position = _scan_value_start(text, position, open_brackets)
        position = _scan_after_value(text, position, open_brackets)
        if not open_brackets:
            return start, position


def _scan_value_start(text: str, position: int, open_brackets: list[str]) -> int:
    """Up to the end of a scalar, or into as many brackets as open here."""
    while True:
        if open_brackets and open_brackets[-1] == "[":
            position = _skip_flat(ELEMENTS, text, position)
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
            return _scan_key(text, position) if in_object else position
        if char != ("}" if in_object else "]"):
            raise _unexpected(char, "after object key:value pair" if in_object else "after array element")
        open_brackets.pop()
        position += 1
    return position


def _scan_key(text: str, position: int) -> int:
    """Past the colon behind the next key whose value is not flat, or whose member is the last."""
    position = _skip_space(text, _skip_flat(MEMBERS, text, position))
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


def _skip_flat(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Past members or elements that are sound and flat, up to one that is not, or the last."""
    while True:
        match = pattern.match(text, position)
        if match is None or match.end() == position:
            return position
        position = match.end()


def _skip_space(text: str, position: int) -> int:
    match = WHITESPACE.match(text, position)
    return match.end() if match else position


def _char(text: str, position: int) -> str:
    if position >= len(text):
        raise JsonSyntaxError(UNEXPECTED_END)
    return text[position]


def _unexpected(char: str, place: str) -> JsonSyntaxError:
    return JsonSyntaxError(f"invalid character {_quoted(char)} {place}")


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
