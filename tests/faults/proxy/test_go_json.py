"""JSON by Go's rules: values as the standard library reads them, ends and errors as Go's scanner finds them."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.proxy import go_json
from faults.proxy.go_json import JsonObject, JsonValue, Number
from faults.proxy.go_json_scanner import JsonSyntaxError, scan

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def plain(value: JsonValue) -> Any:
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, JsonObject):
        return {key: plain(member) for key, member in value}
    return [plain(member) for member in value] if isinstance(value, list) else value


@given(value=VALUES, indent=st.none() | st.integers(0, 3), tail=st.sampled_from([b"", b" ", b"\n{", b" x"]))
def test_any_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None, tail: bytes) -> None:
    body = b" \n" + json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "replace") + tail
    assert plain(go_json.read(body)) == json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


@given(value=VALUES.filter(lambda value: isinstance(value, list | dict)), cut=st.floats(0, 1, exclude_max=True))
def test_any_json_that_is_cut_short_ends_unexpectedly(value: Any, cut: float) -> None:
    body = json.dumps(value).encode()
    with pytest.raises(JsonSyntaxError, match="EOF"):
        scan(body[: math.floor(cut * len(body))])


@given(body=st.binary() | st.text('{}[]",:0123456789.eE+-tfn\\u \n').map(str.encode))
def test_any_bytes_are_a_value_or_an_error(body: bytes) -> None:
    try:
        start, end = scan(body)
    except JsonSyntaxError:
        pass
    else:
        json.loads(body[start:end].decode("utf-8", "replace"))


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_are_written_in_the_fewest_digits_that_name_them(value: float) -> None:
    text = go_json.write(value)
    assert struct.pack("f", float(text)) == struct.pack("f", value)
    assert len(text) <= len(repr(value)) + 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a<b>&": "\u2028\u2029"}, r'{"a\u003cb\u003e\u0026":"\u2028\u2029"}'),
        ([1, True, None, "é"], '[1,true,null,"é"]'),
        ({}, "{}"),
        ([], "[]"),
        (0.0, "0"),
        (-0.5, "-0.5"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
    ],
)
def test_values_are_written_as_go_writes_them(value: Any, text: str) -> None:
    assert go_json.write(value) == text


def test_repeated_members_and_spelled_numbers_are_kept() -> None:
    value = go_json.read(b'{"a":1.50,"a":-0}')
    assert value == (("a", "1.50"), ("a", "-0"))
    assert isinstance(value, JsonObject)
    assert all(isinstance(member, Number) for _, member in value)
