"""Jaeger JSON traces, walked in machine code over the raw bytes. Gives what `jaeger` gives."""

from __future__ import annotations

import numpy as np

from analysis.kernel import bare_kernel, inlined_kernel
from analysis.sources.json_scan import (
    LEFT_BRACE,
    LEFT_BRACKET,
    QUOTE,
    blank_end,
    element_begin,
    hex_in,
    integer,
    key_end,
    same_folded,
    string_end,
    value_end,
)
from analysis.sources.json_text import intern_name, text_in
from analysis.sources.walk_output import (
    ATTRIBUTES,
    DEFERRED,
    GAVE_UP,
    GROUPS,
    KEPT,
    LINKS,
    OK,
    SCRATCH,
    SEEDS,
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

__all__ = ["JAEGER_SEEDS", "walk_answers", "walk_trace"]

JAEGER_SEEDS = (*SEEDS, b"span.kind", b"error", b"otel.status_code")
_KIND_TAG, _ERROR_TAG, _STATUS_TAG = 3, 4, 5


def _word(text: str) -> Bytes:
    return np.frombuffer(text.encode(), np.uint8)


_SPANS, _PROCESSES, _PROCESS, _PROCESS_ID = (_word(w) for w in ("spans", "processes", "process", "processID"))
_TRACE_ID, _SPAN_ID, _PARENT, _NAME = (_word(w) for w in ("traceID", "spanID", "parentSpanID", "operationName"))
_REFERENCES, _REF_TYPE, _CHILD_OF = _word("references"), _word("refType"), _word('"CHILD_OF"')
_START, _DURATION, _TAGS, _LOGS, _FIELDS = (_word(w) for w in ("startTime", "duration", "tags", "logs", "fields"))
_KEY, _VALUE, _DATA = _word("key"), _word("value"), _word("data")
_EXCEPTION_TYPE, _ERROR_KIND, _EVENT = _word('"exception.type"'), _word('"error.kind"'), _word('"event"')
_EXCEPTION = _word('"exception"')
_TRUE, _FALSE, _NULL = _word("true"), _word("false"), _word("null")
_INTERNAL, _SERVER, _CLIENT = _word("internal"), _word("server"), _word("client")
_PRODUCER, _CONSUMER = _word("producer"), _word("consumer")
_OK, _ERROR, _ZERO = _word("ok"), _word("error"), _word("0")

_MAX_MICROS = 2**63 // 2000


@bare_kernel
def walk_trace(data: Bytes, at: int, end: int, out: Output) -> int:
    """All spans of one trace object; OK or GAVE_UP."""
    return OK if _trace_end(data, at, end, out) >= 0 else GAVE_UP


@bare_kernel
def walk_answers(data: Bytes, bounds: Ints, failed: Ints, out: Output) -> int:
    """All spans of files that stand one after another between `bounds`, each an answer of Jaeger's API or a trace.

    Marks in `failed` those that are anything else and adds nothing of them. Returns how many it marked.
    """
    marked = 0
    for file in range(len(bounds) - 1):
        spans, attributes, links = out.counts[SPANS], out.counts[ATTRIBUTES], out.counts[LINKS]
        deferred, groups, scratch = out.counts[DEFERRED], out.counts[GROUPS], out.counts[SCRATCH]
        if not _walk_answer(data, bounds[file], bounds[file + 1], out):
            out.counts[SPANS], out.counts[ATTRIBUTES], out.counts[LINKS] = spans, attributes, links
            out.counts[DEFERRED], out.counts[GROUPS], out.counts[SCRATCH] = deferred, groups, scratch
            failed[file] = 1
            marked += 1
    return marked


@bare_kernel
def _walk_answer(data: Bytes, at: int, end: int, out: Output) -> bool:
    at = blank_end(data, at, end)
    if at >= end or data[at] != LEFT_BRACE:
        return False
    answer = at
    found = False
    at += 1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return value == -2 and found and blank_end(data, key_stop, end) == end
        if equals(data, key, key_stop - key, _DATA):
            if found or data[value] != LEFT_BRACKET:
                return False
            found = True
            at = _walk_traces(data, value + 1, end, out)
        elif equals(data, key, key_stop - key, _TRACE_ID) or equals(data, key, key_stop - key, _SPANS):
            if found:
                return False
            at = _trace_end(data, answer, end, out)
            return at >= 0 and blank_end(data, at, end) == end
        else:
            # Counts and nulls mean nothing here; what an object or an array holds, Python finds out.
            at = -1 if data[value] == LEFT_BRACE or data[value] == LEFT_BRACKET else value_end(data, value, end)
        if at < 0:
            return False


@bare_kernel
def _walk_traces(data: Bytes, at: int, end: int, out: Output) -> int:
    """Behind the array of traces whose first element may begin at `at`; -1 = gave up."""
    while True:
        trace = element_begin(data, at, end)
        if trace < 0:
            return -trace - 1 if trace <= -2 else -1
        at = _trace_end(data, trace, end, out)
        if at < 0:
            return -1


@bare_kernel
def _trace_end(data: Bytes, at: int, end: int, out: Output) -> int:
    """Add all spans of the trace object at `at`; behind it, -1 = gave up."""
    first_span, first_group = out.counts[SPANS], out.counts[GROUPS]
    nobody = add_group(out, -1, at, 0)
    if nobody < 0 or data[at] != LEFT_BRACE:
        return -1
    at += 1
    named = False
    lists = 0
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            break
        if equals(data, key, key_stop - key, _SPANS):
            lists += 1
            at = _walk_spans(data, value, end, out)
        else:
            named |= equals(data, key, key_stop - key, _TRACE_ID)
            at = value_end(data, value, end)
            if equals(data, key, key_stop - key, _PROCESSES):
                lists += 256
                if at < 0 or not _note_processes(data, value, at, out):
                    return -1
        if at < 0:
            return -1
    if value == -1 or not named or lists & 255 != 1 or lists >= 512:
        return -1
    for row in range(first_span, out.counts[SPANS]):
        word = out.spans[row, 9]
        group = out.stamps[word] if word >= 0 else -1
        known = first_group <= group < out.counts[GROUPS] and out.groups[group, 0] == word
        out.spans[row, 9] = group if known else nobody
    return key_stop


@inlined_kernel
def _note_processes(data: Bytes, at: int, end: int, out: Output) -> bool:
    if data[at] != LEFT_BRACE:
        return equals(data, at, end - at, _NULL)
    at += 1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return value == -2
        at = value_end(data, value, end)
        word = intern(out.keys, data, key, key_stop - key)
        if at < 0 or word < 0:
            return False
        group = add_group(out, word, value, at - value)
        if group < 0:
            return False
        out.stamps[word] = group


@inlined_kernel
def _walk_spans(data: Bytes, at: int, end: int, out: Output) -> int:
    """Behind the array of spans; -1 = gave up."""
    if data[at] != LEFT_BRACKET:
        return -1
    at += 1
    while True:
        span = element_begin(data, at, end)
        if span < 0:
            return -span - 1 if span <= -2 else -1
        at = _walk_span(data, span, end, out)
        if at < 0:
            return -1


@inlined_kernel
def _walk_span(data: Bytes, at: int, end: int, out: Output) -> int:
    """Behind the span; -1 = gave up."""
    row = out.counts[SPANS]
    if row >= len(out.spans) or data[at] != LEFT_BRACE:
        return -1
    span = out.spans[row]
    span[:] = 0
    span[9] = -1
    name, name_stop = at, at
    references, references_stop = at, at
    logs, logs_length = at, -1
    parent, duration = 0, 0
    seen = 0
    at += 1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value == -2:
            at = key_stop
            break
        if value < 0:
            return -1
        length = key_stop - key
        ok = True
        mark = 0
        if length == 4 and equals(data, key, length, _TAGS):
            mark = 1
            at = _walk_tags(data, value, end, span, out)
            if at < 0 or seen & mark:
                return -1
            seen |= mark
            continue
        at = value_end(data, value, end)
        if at < 0:
            return -1
        if length == 7 and equals(data, key, length, _TRACE_ID):
            span[0], span[1], ok = hex_in(data, value, at)
        elif length == 6 and equals(data, key, length, _SPAN_ID):
            high, span[2], ok = hex_in(data, value, at)
            ok &= high == 0
        elif length == 12 and equals(data, key, length, _PARENT):
            high, parent, ok = hex_in(data, value, at)
            ok &= high == 0
        elif length == 13 and equals(data, key, length, _NAME):
            name, name_stop = value, at
            ok = data[value] == QUOTE
        elif length == 9 and equals(data, key, length, _START):
            span[4], ok = _micros(data, value, at)
        elif length == 8 and equals(data, key, length, _DURATION):
            duration, ok = _micros(data, value, at)
        elif length == 9 and equals(data, key, length, _PROCESS_ID):
            escaped = string_end(data, value, at)[1]
            ok = data[value] == QUOTE and not escaped
            if ok:
                span[9] = intern(out.keys, data, value + 1, at - value - 2)
                ok = span[9] >= 0
        elif length == 10 and equals(data, key, length, _REFERENCES):
            references, references_stop = value, at
        elif length == 4 and equals(data, key, length, _LOGS):
            found = _records_exception(data, value, at)
            ok = found >= 0
            logs, logs_length = value, at - value if found > 0 else -1
        elif length == 7 and equals(data, key, length, _PROCESS):
            return -1
        if not ok:
            return -1
    if not _walk_references(data, references, references_stop, span, out):
        return -1
    span[3] = span[3] if span[3] != 0 else parent
    span[5] = span[4] + duration
    span[8] = intern_name(data, name, name_stop, out)
    if span[8] < 0 or finish_span(out, span, logs, logs_length, 0, 0) != OK:
        return -1
    return at


@bare_kernel
def _micros(data: Bytes, at: int, end: int) -> tuple[int, bool]:
    """Microseconds as nanoseconds, and whether they are a number that fits."""
    number, ok = integer(data, at, end)
    return number * 1000, ok and -_MAX_MICROS < number < _MAX_MICROS


@inlined_kernel
def _walk_references(data: Bytes, at: int, end: int, span: Ints, out: Output) -> bool:
    """The first CHILD_OF within the trace is the parent; every other reference is a link."""
    if at == end or equals(data, at, end - at, _NULL):
        return True
    if data[at] != LEFT_BRACKET:
        return False
    at += 1
    while True:
        reference = element_begin(data, at, end)
        if reference < 0:
            return reference <= -2
        at = value_end(data, reference, end)
        row = out.counts[LINKS]
        if at < 0 or data[reference] != LEFT_BRACE or row >= len(out.links):
            return False
        link = out.links[row]
        link[:] = 0
        child_of = _walk_reference(data, reference + 1, at, link)
        if child_of < 0:
            return False
        if child_of == 1 and span[3] == 0 and link[0] == span[0] and link[1] == span[1]:
            span[3] = link[2]
        else:
            out.counts[LINKS] = row + 1


@bare_kernel
def _walk_reference(data: Bytes, at: int, end: int, link: Ints) -> int:
    """Fill trace id and span id; 1 = CHILD_OF, 0 = another kind, -1 = gave up."""
    child_of = 0
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return child_of if value == -2 else -1
        at = value_end(data, value, end)
        if at < 0:
            return -1
        ok = True
        if equals(data, key, key_stop - key, _TRACE_ID):
            link[0], link[1], ok = hex_in(data, value, at)
        elif equals(data, key, key_stop - key, _SPAN_ID):
            high, link[2], ok = hex_in(data, value, at)
            ok &= high == 0
        elif equals(data, key, key_stop - key, _REF_TYPE):
            child_of = 1 if equals(data, value, at - value, _CHILD_OF) else 0
        if not ok:
            return -1


@bare_kernel
def _records_exception(data: Bytes, at: int, end: int) -> int:
    """Whether any log may record an exception (1 or 0), which Python then reads; -1 = gave up."""
    if equals(data, at, end - at, _NULL):
        return 0
    if data[at] != LEFT_BRACKET:
        return -1
    # Any string that is one of these words is a sign: a false alarm costs only time.
    while at < end:
        if data[at] != QUOTE:
            at += 1
            continue
        stop, escaped = string_end(data, at, end)
        if stop < 0:
            return -1
        length = stop - at
        if escaped or equals(data, at, length, _EXCEPTION_TYPE):
            return 1
        if equals(data, at, length, _ERROR_KIND) or equals(data, at, length, _EXCEPTION):
            return 1
        at = stop
    return 0


@inlined_kernel
def _walk_tags(data: Bytes, at: int, end: int, span: Ints, out: Output) -> int:
    """Behind the array of tags, whose kind, status and error are noted in the span; -1 = gave up."""
    if data[at] != LEFT_BRACKET:
        stop = value_end(data, at, end)
        return stop if stop > 0 and equals(data, at, stop - at, _NULL) else -1
    at += 1
    seen = 0
    error = False
    while True:
        tag = element_begin(data, at, end)
        if tag < 0:
            span[7] = 2 if error else span[7]
            return -tag - 1 if tag <= -2 else -1
        word, value, value_stop, escaped, at = _tag_parts(data, tag, end, out)
        if at < 0 or not _add_tag(data, value, value_stop, escaped, word, out):
            return -1
        if (
            _KIND_TAG <= word <= _STATUS_TAG
            and not seen & (1 << word)
            and not equals(data, value, value_stop - value, _NULL)
        ):
            seen |= 1 << word
            quoted = 1 if data[value] == QUOTE else 0
            begin, stop = value + quoted, value_stop - quoted
            if escaped:
                return -1
            if word == _KIND_TAG:
                span[6] = _kind(data, begin, stop)
            elif word == _ERROR_TAG:
                error |= _is_true(data, begin, stop)
            elif same_folded(data, begin, stop, _ERROR):
                error = True
            elif same_folded(data, begin, stop, _OK):
                span[7] = 1


@inlined_kernel
def _tag_parts(data: Bytes, at: int, end: int, out: Output) -> tuple[int, int, int, bool, int]:
    """Number of the key, range of the value, whether it has escapes, and where the tag ends (-1 = gave up)."""
    word, place, stop, odd = -1, -1, -1, False
    if data[at] != LEFT_BRACE:
        return 0, 0, 0, False, -1
    at += 1
    while True:
        key, key_stop, value = key_end(data, at, end)
        if value < 0:
            return word, place, stop, odd, key_stop if value == -2 and word >= 0 and place >= 0 else -1
        escaped = False
        quoted = data[value] == QUOTE
        if quoted:
            at, escaped = string_end(data, value, end)
        else:
            at = value_end(data, value, end)
        if at < 0:
            return 0, 0, 0, False, -1
        if equals(data, key, key_stop - key, _KEY):
            if not quoted or escaped:
                return 0, 0, 0, False, -1
            word = intern(out.keys, data, value + 1, at - value - 2)
        elif equals(data, key, key_stop - key, _VALUE):
            place, stop, odd = value, at, escaped


@inlined_kernel
def _add_tag(data: Bytes, at: int, end: int, escaped: bool, key: int, out: Output) -> bool:
    if 0 < out.counts[KEPT] <= key:
        return True
    if data[at] == QUOTE:
        if not escaped:
            return add_attribute(out, key, at + 1, end - at - 2)
        place, length = text_in(data, at, end, out)
        return length >= 0 and add_attribute(out, key, place, length)
    if equals(data, at, end - at, _NULL):
        return True
    plain = integer(data, at, end)[1] or equals(data, at, end - at, _TRUE) or equals(data, at, end - at, _FALSE)
    if plain:
        return add_attribute(out, key, at, end - at)
    return defer(out, VALUE, at, end - at) and add_attribute(out, key, 0, 0)


@bare_kernel
def _kind(data: Bytes, at: int, end: int) -> int:
    if same_folded(data, at, end, _SERVER):
        return 2
    if same_folded(data, at, end, _CLIENT):
        return 3
    if same_folded(data, at, end, _INTERNAL):
        return 1
    if same_folded(data, at, end, _PRODUCER):
        return 4
    return 5 if same_folded(data, at, end, _CONSUMER) else 0


@bare_kernel
def _is_true(data: Bytes, at: int, end: int) -> bool:
    return at < end and not same_folded(data, at, end, _FALSE) and not equals(data, at, end - at, _ZERO)
