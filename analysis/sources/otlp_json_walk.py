"""OTLP/JSON spans, walked in machine code over the raw bytes. Gives what `otlp_json` gives."""

from __future__ import annotations

import numpy as np

from analysis.kernel import bare_kernel, inlined_kernel
from analysis.sources.json_scan import (
    LEFT_BRACE,
    LEFT_BRACKET,
    QUOTE,
    element_begin,
    hex_in,
    key_end,
    number_in,
    string_end,
    value_end,
)
from analysis.sources.json_text import intern_name, text_in
from analysis.sources.walk_output import (
    GAVE_UP,
    LINKS,
    OK,
    SPANS,
    VALUE,
    Bytes,
    Ints,
    Output,
    add_attribute,
    add_group,
    defer,
    equals,
    finish_span,
    intern,
)

__all__ = ["walk_resource_spans"]


def _word(text: str) -> Bytes:
    return np.frombuffer(text.encode(), np.uint8)


_RESOURCE, _SCOPE_SPANS, _LIBRARY_SPANS = _word("resource"), _word("scopeSpans"), _word("instrumentationLibrarySpans")
_SPANS, _ATTRIBUTES, _EVENTS, _LINKS, _STATUS = (_word(w) for w in ("spans", "attributes", "events", "links", "status"))
_TRACE_ID, _SPAN_ID, _PARENT = _word("traceId"), _word("spanId"), _word("parentSpanId")
_NAME, _KIND, _START, _END = (_word(w) for w in ("name", "kind", "startTimeUnixNano", "endTimeUnixNano"))
_KEY, _VALUE, _CODE, _MESSAGE = _word("key"), _word("value"), _word("code"), _word("message")
_STRING, _INT, _BOOL = _word("stringValue"), _word("intValue"), _word("boolValue")
_EXCEPTION = _word("exception")
_KIND_NAMES = (
    _word('"SPAN_KIND_UNSPECIFIED"'),
    _word('"SPAN_KIND_INTERNAL"'),
    _word('"SPAN_KIND_SERVER"'),
    _word('"SPAN_KIND_CLIENT"'),
    _word('"SPAN_KIND_PRODUCER"'),
    _word('"SPAN_KIND_CONSUMER"'),
)
_STATUS_NAMES = (_word('"STATUS_CODE_UNSET"'), _word('"STATUS_CODE_OK"'), _word('"STATUS_CODE_ERROR"'))
_UNDERSCORE = 0x5F


@bare_kernel
def walk_resource_spans(data: Bytes, at: int, end: int, out: Output) -> int:
    """All spans of one ResourceSpans object; OK or GAVE_UP."""
    group = add_group(out, -1, at, 0)
    if group < 0 or data[at] != LEFT_BRACE:
        return GAVE_UP
    at += 1
    resources = scopes = 0
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return OK if value == -2 and resources <= 1 and scopes <= 1 else GAVE_UP
        at = value_end(data, value, end)
        length = key_stop - key
        if at < 0 or _is_snake(data, key, key_stop):
            return GAVE_UP
        if equals(data, key, length, _RESOURCE):
            resources += 1
            out.groups[group, 1] = value
            out.groups[group, 2] = at - value
        elif equals(data, key, length, _SCOPE_SPANS) or equals(data, key, length, _LIBRARY_SPANS):
            scopes += 1
            if _walk_scopes(data, value, at, group, out) != OK:
                return GAVE_UP


@bare_kernel
def _is_snake(data: Bytes, begin: int, end: int) -> bool:
    """Whether a key may be one of the names that only the Python reader knows."""
    for i in range(begin, end):  # noqa: SIM110 - a loop is what compiles
        if data[i] == _UNDERSCORE:
            return True
    return False


@inlined_kernel
def _walk_scopes(data: Bytes, at: int, end: int, group: int, out: Output) -> int:
    if data[at] != LEFT_BRACKET:
        return GAVE_UP
    at += 1
    while True:
        scope = element_begin(data, at, end)
        if scope < 0:
            return OK if scope <= -2 else GAVE_UP
        at = _walk_scope(data, scope, end, group, out)
        if at < 0:
            return GAVE_UP


@inlined_kernel
def _walk_scope(data: Bytes, at: int, end: int, group: int, out: Output) -> int:
    """Behind the scope; -1 = gave up."""
    if data[at] != LEFT_BRACE:
        return -1
    at += 1
    lists = 0
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return key_stop if value == -2 and lists <= 1 else -1
        if equals(data, key, key_stop - key, _SPANS):
            lists += 1
            at = _walk_spans(data, value, end, group, out)
        else:
            at = value_end(data, value, end)
        if at < 0:
            return -1


@inlined_kernel
def _walk_spans(data: Bytes, at: int, end: int, group: int, out: Output) -> int:
    """Behind the array of spans; -1 = gave up."""
    if data[at] != LEFT_BRACKET:
        return -1
    at += 1
    while True:
        span = element_begin(data, at, end)
        if span < 0:
            return -span - 1 if span <= -2 else -1
        at = _walk_span(data, span, end, group, out)
        if at < 0:
            return -1


@inlined_kernel
def _walk_span(data: Bytes, at: int, end: int, group: int, out: Output) -> int:
    """Behind the span; -1 = gave up."""
    row = out.counts[SPANS]
    if row >= len(out.spans) or data[at] != LEFT_BRACE:
        return -1
    span = out.spans[row]
    span[:] = 0
    span[9] = group
    name, name_stop = at, at  # an empty name
    event, event_length = at, -1
    message, message_length = at, 0
    seen = 0
    at += 1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value == -2:
            at = key_stop
            break
        if value < 0 or _is_snake(data, key, key_stop):
            return -1
        length = key_stop - key
        if length == 10 and equals(data, key, length, _ATTRIBUTES):
            at = _walk_attributes(data, value, end, out)
            if at < 0 or seen & 1:
                return -1
            seen |= 1
            continue
        at = value_end(data, value, end)
        if at < 0:
            return -1
        ok = True
        mark = 0
        if length == 17 and equals(data, key, length, _START):
            span[4], ok = number_in(data, value, at)
        elif length == 15 and equals(data, key, length, _END):
            span[5], ok = number_in(data, value, at)
        elif length == 7 and equals(data, key, length, _TRACE_ID):
            span[0], span[1], ok = hex_in(data, value, at)
        elif length == 6 and equals(data, key, length, _SPAN_ID):
            high, span[2], ok = hex_in(data, value, at)
            ok &= high == 0
        elif length == 12 and equals(data, key, length, _PARENT):
            high, span[3], ok = hex_in(data, value, at)
            ok &= high == 0
        elif length == 4 and equals(data, key, length, _NAME):
            name, name_stop = value, at
            ok = data[value] == QUOTE
        elif length == 4 and equals(data, key, length, _KIND):
            span[6] = _kind(data, value, at)
            ok = span[6] >= 0
        elif length == 6 and equals(data, key, length, _EVENTS):
            mark = 2
            event, event_length = _exception(data, value, at)
            ok = event >= 0
        elif length == 5 and equals(data, key, length, _LINKS):
            mark = 4
            ok = _walk_links(data, value, at, out) == OK
        elif length == 6 and equals(data, key, length, _STATUS):
            mark = 8
            span[7], message, message_length = _status(data, value, at, out)
            ok = message_length >= 0
        if not ok or seen & mark:
            return -1
        seen |= mark
    span[8] = intern_name(data, name, name_stop, out)
    if span[8] < 0 or finish_span(out, span, event, event_length, message, message_length) != OK:
        return -1
    return at


@bare_kernel
def _kind(data: Bytes, at: int, end: int) -> int:
    number, is_number = number_in(data, at, end)
    if is_number and data[at] != QUOTE:
        return number if 0 <= number <= 5 else 0
    for kind in range(6):
        if equals(data, at, end - at, _KIND_NAMES[kind]):
            return kind
    return -1


@bare_kernel
def _status(data: Bytes, at: int, end: int, out: Output) -> tuple[int, int, int]:
    """Code, and the message's place and length; length -1 = gave up."""
    code, message, length = 0, at, 0
    if data[at] != LEFT_BRACE:
        return 0, 0, -1
    at += 1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return code, message, length if value == -2 else -1
        at = value_end(data, value, end)
        if at < 0:
            return 0, 0, -1
        if equals(data, key, key_stop - key, _CODE):
            code = _status_code(data, value, at)
            if code < 0:
                return 0, 0, -1
        elif equals(data, key, key_stop - key, _MESSAGE):
            message, length = text_in(data, value, at, out)
            if length < 0:
                return 0, 0, -1


@bare_kernel
def _status_code(data: Bytes, at: int, end: int) -> int:
    number, is_number = number_in(data, at, end)
    if is_number and data[at] != QUOTE:
        return number if 0 <= number <= 2 else 0
    for code in range(3):
        if equals(data, at, end - at, _STATUS_NAMES[code]):
            return code
    return -1


@bare_kernel
def _exception(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Range of the first event that is an exception (length -1 = none); start -1 = gave up."""
    if data[at] != LEFT_BRACKET:
        return -1, -1
    at += 1
    while True:
        event = element_begin(data, at, end)
        if event < 0:
            return (0, -1) if event <= -2 else (-1, -1)
        at = value_end(data, event, end)
        if at < 0 or data[event] != LEFT_BRACE:
            return -1, -1
        inside = event + 1
        while True:
            key, key_stop, value = key_end(data, inside, at)
            if value < 0:
                break
            inside = value_end(data, value, at)
            if inside < 0:
                return -1, -1
            named = equals(data, key, key_stop - key, _NAME)
            if named and equals(data, value + 1, inside - value - 2, _EXCEPTION):
                return event, at - event


@inlined_kernel
def _walk_links(data: Bytes, at: int, end: int, out: Output) -> int:
    if data[at] != LEFT_BRACKET:
        return GAVE_UP
    at += 1
    while True:
        link = element_begin(data, at, end)
        if link < 0:
            return OK if link <= -2 else GAVE_UP
        at = value_end(data, link, end)
        row = out.counts[LINKS]
        if at < 0 or data[link] != LEFT_BRACE or row >= len(out.links):
            return GAVE_UP
        out.links[row, :] = 0
        if not _walk_link(data, link + 1, at, out.links[row]):
            return GAVE_UP
        out.counts[LINKS] = row + 1


@bare_kernel
def _walk_link(data: Bytes, at: int, end: int, row: Ints) -> bool:
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return value == -2
        at = value_end(data, value, end)
        if at < 0 or _is_snake(data, key, key_stop):
            return False
        ok = True
        if equals(data, key, key_stop - key, _TRACE_ID):
            row[0], row[1], ok = hex_in(data, value, at)
        elif equals(data, key, key_stop - key, _SPAN_ID):
            high, row[2], ok = hex_in(data, value, at)
            ok &= high == 0
        if not ok:
            return False


@inlined_kernel
def _walk_attributes(data: Bytes, at: int, end: int, out: Output) -> int:
    """Behind the array of attributes; -1 = gave up."""
    if data[at] != LEFT_BRACKET:
        return -1
    at += 1
    while True:
        attribute = element_begin(data, at, end)
        if attribute < 0:
            return -attribute - 1 if attribute <= -2 else -1
        at = _walk_attribute(data, attribute, end, out)
        if at < 0:
            return -1


@inlined_kernel
def _walk_attribute(data: Bytes, at: int, end: int, out: Output) -> int:
    """Behind the attribute; -1 = gave up."""
    if data[at] != LEFT_BRACE:
        return -1
    at += 1
    word, place, place_end = -1, -1, -1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            if value == -1 or word < 0 or place < 0 or _walk_value(data, place, place_end, word, out) != OK:
                return -1
            return key_stop
        at = value_end(data, value, end)
        if at < 0:
            return -1
        if equals(data, key, key_stop - key, _KEY):
            stop, escaped = string_end(data, value, at)
            if data[value] != QUOTE or stop != at or escaped:
                return -1
            word = intern(out.keys, data, value + 1, at - value - 2)
        elif equals(data, key, key_stop - key, _VALUE):
            place, place_end = value, at


@inlined_kernel
def _walk_value(data: Bytes, at: int, end: int, key: int, out: Output) -> int:
    """One attribute row for an AnyValue object."""
    if data[at] != LEFT_BRACE:
        return GAVE_UP
    name, name_stop, value = key_end(data, at + 1, end)
    if value == -1:
        return GAVE_UP
    if value >= 0:
        stop = value_end(data, value, end)
        if stop < 0:
            return GAVE_UP
        length = name_stop - name
        if key_end(data, stop, end)[2] == -2:  # the only alternative in it
            if equals(data, name, length, _STRING):
                place, size = text_in(data, value, stop, out)
                return OK if size >= 0 and add_attribute(out, key, place, size) else GAVE_UP
            if equals(data, name, length, _INT) and number_in(data, value, stop)[1]:
                quoted = 1 if data[value] == QUOTE else 0
                return OK if add_attribute(out, key, value + quoted, stop - value - 2 * quoted) else GAVE_UP
            if equals(data, name, length, _BOOL) and (data[value] == 0x74 or data[value] == 0x66):
                return OK if add_attribute(out, key, value, stop - value) else GAVE_UP
    return OK if defer(out, VALUE, at, end - at) and add_attribute(out, key, 0, 0) else GAVE_UP
