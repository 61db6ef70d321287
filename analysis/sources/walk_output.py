"""What the compiled walks write: rows of numbers that point into the bytes they came from.

A walk handles the plain case of its form and gives up (GAVE_UP) on everything odd: the caller then has the same bytes
read by the form's Python reader, so that what is odd is decided in one place. Values that only need odd *rendering*
(doubles, arrays, exceptions) are deferred: the row is there, and Python fills in its text afterwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.kernel import bare_kernel, inlined_kernel

__all__ = [
    "ATTRIBUTES",
    "DEFERRED",
    "DOUBLE",
    "EXCEPTION",
    "GAVE_UP",
    "GROUPS",
    "KEPT",
    "LINKS",
    "OK",
    "SCRATCH",
    "SEEDS",
    "SPANS",
    "VALUE",
    "Output",
    "Words",
    "add_attribute",
    "add_group",
    "allocate",
    "append_bytes",
    "append_integer",
    "defer",
    "equals",
    "finish_span",
    "intern",
    "reset",
    "signed",
]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

OK, GAVE_UP = 0, -1

SPANS, ATTRIBUTES, LINKS, DEFERRED, GROUPS, SCRATCH, KEPT = range(7)
"""Index of each counter in `Output.counts`. KEPT is none: only keys below it are wanted, 0 = all are."""

VALUE, DOUBLE, EXCEPTION = range(3)
"""What a deferred row waits for: a value's text, a double's text, or (two rows) an exception's type and message."""

SEEDS = (b"exception.type", b"exception.message", b"otel.status_description")
"""Keys that walks add themselves: their numbers are their places here, and a form may append more."""
EXCEPTION_TYPE, EXCEPTION_MESSAGE, STATUS_MESSAGE = 0, 1, 2

_MAX_PROBES = 64
_MAX_WORDS = 1 << 16
_WORDS, _ARENA = 0, 1


class Words(NamedTuple):
    """Interned byte strings: an open hash table over an arena of their bytes."""

    slots: npt.NDArray[np.int32]  # word or -1
    ranges: Ints  # (words, 3): start in the arena, length, hash
    arena: Bytes
    counts: Ints  # words, bytes in the arena


class Output(NamedTuple):
    # (spans, 12): trace id high and low, span id, parent, start, end, kind, status, name, group, and where its
    # attributes and links end
    spans: Ints
    attributes: Ints  # (attributes, 3): key (< 0: dropped), start (< 0: in the scratch, at ~start), length
    links: Ints  # (links, 3): trace id high and low, span id
    deferred: Ints  # (deferred, 4): what, attribute row, start, length
    groups: Ints  # (groups, 3): key or -1, start, length: where resources and processes are described
    scratch: Bytes
    counts: Ints  # by SPANS ... KEPT
    names: Words
    keys: Words
    stamps: Ints  # by key: the group that a process id of the trace at hand stands for


def allocate(size: int) -> Output:
    """Room for what `size` bytes can plausibly hold; memory that is not written to costs nothing."""
    spans, attributes, few = size // 24 + 64, size // 8 + 64, size // 16 + 64
    return Output(
        spans=np.empty((spans, 12), np.int64),
        attributes=np.empty((attributes, 3), np.int64),
        links=np.empty((few, 3), np.int64),
        deferred=np.empty((few, 4), np.int64),
        groups=np.empty((few, 3), np.int64),
        scratch=np.empty(size + 4096, np.uint8),
        counts=np.zeros(7, np.int64),
        names=_words(size),
        keys=_words(size),
        stamps=np.empty(_MAX_WORDS, np.int64),
    )


def reset(output: Output, seeds: tuple[bytes, ...] = (), *, kept: int = 0) -> None:
    """Empty it for the next walk; `seeds` become the first keys, and the first `kept` of them (0 = any) are wanted."""
    output.counts[:] = 0
    output.counts[KEPT] = kept
    for words in (output.names, output.keys):
        words.slots[:] = -1
        words.counts[:] = 0
    for seed in seeds:
        intern.compiled(output.keys, np.frombuffer(seed, np.uint8), 0, len(seed))


def _words(size: int) -> Words:
    return Words(
        slots=np.empty(_MAX_WORDS * 4, np.int32),
        ranges=np.empty((_MAX_WORDS, 3), np.int64),
        arena=np.empty(size + 4096, np.uint8),
        counts=np.zeros(2, np.int64),
    )


@inlined_kernel
def signed(value: int | np.integer[Any]) -> int:
    """The same 64 bits as a signed number: what is counted and compared must not mix with unsigned ones."""
    return np.int64(value)  # type: ignore[return-value]


@bare_kernel
def equals(data: Bytes, start: int, length: int, word: Bytes) -> bool:
    """Whether the range holds exactly this word."""
    if length != len(word):
        return False
    for i in range(length):  # noqa: SIM110 - a loop is what compiles
        if data[np.uint64(start + i)] != word[np.uint64(i)]:
            return False
    return True


@inlined_kernel
def eight_bytes(data: Bytes, at: int) -> np.uint64:
    """The next eight bytes as a number: compiled, one load."""
    p = np.uint64(at)
    return (
        np.uint64(data[p])
        | np.uint64(data[p + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[p + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[p + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[p + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[p + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[p + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[p + np.uint64(7)]) << np.uint64(56)
    )


@bare_kernel
def hash_of(data: Bytes, start: int, length: int) -> int:
    """FNV-1a's steps, eight bytes at a time, and the rest one by one."""
    hashed = np.uint64(0xCBF29CE484222325) + np.uint64(length)
    whole = length & ~7
    for i in range(start, start + whole, 8):
        hashed = (hashed ^ eight_bytes(data, i)) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(32)
    for i in range(start + whole, start + length):
        hashed = (hashed ^ np.uint64(data[np.uint64(i)])) * np.uint64(0x100000001B3)
    return signed(hashed ^ hashed >> np.uint64(29))


@bare_kernel
def intern(words: Words, data: Bytes, start: int, length: int) -> int:
    """The number of the word in this range; -1 when the table is full or an attacker chose the words."""
    hashed = hash_of(data, start, length)
    mask = len(words.slots) - 1
    slot = hashed & mask
    for _ in range(_MAX_PROBES):
        word = words.slots[slot]
        if word < 0:
            return _add_word(words, data, start, length, hashed, slot)
        if words.ranges[word, 2] == hashed and words.ranges[word, 1] == length:
            at = words.ranges[word, 0]
            same = True
            for i in range(length):
                if words.arena[np.uint64(at + i)] != data[np.uint64(start + i)]:
                    same = False
                    break
            if same:
                return signed(word)
        slot = (slot + 1) & mask
    return -1


@bare_kernel
def _add_word(words: Words, data: Bytes, start: int, length: int, hashed: int, slot: int) -> int:
    word, at = words.counts[_WORDS], words.counts[_ARENA]
    if word >= len(words.ranges) or at + length > len(words.arena):
        return -1
    words.slots[slot] = word
    words.ranges[word, 0] = at
    words.ranges[word, 1] = length
    words.ranges[word, 2] = hashed
    for i in range(length):
        words.arena[at + i] = data[start + i]
    words.counts[_WORDS] += 1
    words.counts[_ARENA] += length
    return signed(word)


@inlined_kernel
def add_attribute(out: Output, key: int, start: int, length: int) -> bool:
    """Append an attribute whose value is this range; False when there is no room."""
    row = out.counts[ATTRIBUTES]
    if row >= len(out.attributes):
        return False
    out.attributes[row, 0] = key
    out.attributes[row, 1] = start
    out.attributes[row, 2] = length
    out.counts[ATTRIBUTES] = row + 1
    return True


@inlined_kernel
def defer(out: Output, what: int, start: int, length: int) -> bool:
    """Leave the text of the next attribute row to Python, which finds it in this range; False when there is no room."""
    row = out.counts[DEFERRED]
    if row >= len(out.deferred):
        return False
    out.deferred[row, 0] = what
    out.deferred[row, 1] = out.counts[ATTRIBUTES]
    out.deferred[row, 2] = start
    out.deferred[row, 3] = length
    out.counts[DEFERRED] = row + 1
    return True


@inlined_kernel
def append_bytes(out: Output, word: Bytes) -> int:
    """Copy a word to the scratch; its place as attributes name it, or 0 (which is none) when there is no room."""
    at = out.counts[SCRATCH]
    if at + len(word) > len(out.scratch):
        return 0
    for i in range(len(word)):
        out.scratch[at + i] = word[i]
    out.counts[SCRATCH] = at + len(word)
    return signed(~at)


@inlined_kernel
def append_integer(out: Output, value: int) -> int:
    """Write a number in decimal to the scratch; the same result."""
    at = out.counts[SCRATCH]
    if at + 20 > len(out.scratch):
        return 0
    rest = np.uint64(value)
    end = at
    if value < 0:
        out.scratch[at] = 45  # "-"
        end += 1
        rest = ~rest + np.uint64(1)
    first = end
    while True:
        out.scratch[end] = np.uint8(48 + signed(rest % np.uint64(10)))
        rest //= np.uint64(10)
        end += 1
        if rest == 0:
            break
    last = end - 1
    while first < last:
        out.scratch[first], out.scratch[last] = out.scratch[last], out.scratch[first]
        first += 1
        last -= 1
    out.counts[SCRATCH] = end
    return signed(~at)


@inlined_kernel
def finish_span(out: Output, span: Ints, event: int, event_length: int, message: int, message_length: int) -> int:
    """Add what follows a span's own attributes (an exception unless its length is negative, a message) and count it."""
    if event_length >= 0:
        room = defer(out, EXCEPTION, event, event_length)
        room &= add_attribute(out, EXCEPTION_TYPE, 0, 0)
        room &= add_attribute(out, EXCEPTION_MESSAGE, 0, 0)
        if not room:
            return GAVE_UP
    if message_length > 0 and not add_attribute(out, STATUS_MESSAGE, message, message_length):
        return GAVE_UP
    span[10] = out.counts[ATTRIBUTES]
    span[11] = out.counts[LINKS]
    out.counts[SPANS] += 1
    return OK


@inlined_kernel
def add_group(out: Output, key: int, start: int, length: int) -> int:
    """Note where a resource or process is described; its number, or GAVE_UP when there is no room."""
    group = out.counts[GROUPS]
    if group >= len(out.groups):
        return GAVE_UP
    out.groups[group, 0] = key
    out.groups[group, 1] = start
    out.groups[group, 2] = length
    out.counts[GROUPS] = group + 1
    return signed(group)
