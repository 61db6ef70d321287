"""From a walk's rows to raw spans: render what was deferred, then gather the texts into Arrow buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import orjson
import pyarrow as pa

from analysis.kernel import bare_kernel
from analysis.sources.conventions import Process
from analysis.sources.otlp_values import EXCEPTION_KEYS, Pairs
from analysis.sources.raw_spans import RawSpans
from analysis.sources.text import double_text
from analysis.sources.walk_output import (
    ATTRIBUTES,
    DEFERRED,
    DOUBLE,
    EXCEPTION,
    LINKS,
    SCRATCH,
    SPANS,
    Bytes,
    Ints,
    Output,
    Words,
)
from analysis.span_table import LINK

__all__ = ["raw_spans"]

ValueText = Callable[[bytes], str]
"""The text of a deferred value."""
ExceptionPairs = Callable[[bytes], Pairs]
"""The attributes of a deferred exception."""


def raw_spans(
    data: Bytes,
    out: Output,
    processes: Sequence[Process],
    process_of_group: Ints,
    value_text: ValueText,
    exception_pairs: ExceptionPairs,
) -> RawSpans | None:
    """The columns of all walked spans; None when a text is not UTF-8, which the form's Python reader shall name."""
    spans = out.spans[: out.counts[SPANS]]
    links = out.links[: out.counts[LINKS]]
    attributes = out.attributes[: out.counts[ATTRIBUTES]]
    scratch = _rendered(data, out, value_text, exception_pairs)
    ends = spans[:, 10]
    if out.counts[DEFERRED] and (kept := attributes[:, 0] >= 0).sum() < len(attributes):
        ends = np.concatenate([[0], np.cumsum(kept)])[ends]
        attributes = attributes[kept]
    values = _gathered(data, scratch, attributes)
    names, keys = _dictionary(out.names, spans[:, 8]), _dictionary(out.keys, attributes[:, 0])
    try:
        for array in (values, names.dictionary, keys.dictionary):
            array.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return RawSpans(
        trace_id=_id_bytes(spans[:, 0:2]),
        span_id=spans[:, 2].astype(np.uint64),
        parent_span_id=spans[:, 3].astype(np.uint64),
        name=names,
        kind=spans[:, 6].astype(np.int8),
        start_ns=spans[:, 4].copy(),
        end_ns=spans[:, 5].copy(),
        status=spans[:, 7].astype(np.int8),
        process=process_of_group[spans[:, 9]].astype(np.int32),
        processes=processes,
        attribute_offsets=_offsets(ends),
        attribute_keys=keys,
        attribute_values=values,
        link_offsets=_offsets(spans[:, 11]),
        links=pa.StructArray.from_arrays(
            [
                pa.FixedSizeBinaryArray.from_buffers(
                    pa.binary(16), len(links), [None, pa.py_buffer(_id_bytes(links[:, 0:2]))]
                ),
                pa.array(links[:, 2].astype(np.uint64)),
            ],
            fields=list(LINK),
        ),
    )


def _offsets(ends: Ints) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    return offsets


def _id_bytes(halves: Ints) -> Bytes:
    return halves.astype(">i8").view(np.uint8).reshape(-1, 16)


def _dictionary(words: Words, codes: Ints) -> pa.DictionaryArray:
    count, size = words.counts
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(words.ranges[:count, 1], out=offsets[1:])
    arena = words.arena[:size].copy()
    dictionary = pa.StringArray.from_buffers(int(count), pa.py_buffer(offsets), pa.py_buffer(arena))
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), dictionary)


def _rendered(data: Bytes, out: Output, value_text: ValueText, exception_pairs: ExceptionPairs) -> Bytes:
    """The scratch with the texts of all deferred rows appended, and their rows pointing to them."""
    at = int(out.counts[SCRATCH])
    scratch = out.scratch[:at]
    deferred = out.deferred[: out.counts[DEFERRED]]
    if not len(deferred):
        return scratch
    doubles = deferred[deferred[:, 0] == DOUBLE]
    texts = list(zip(doubles[:, 1].tolist(), _double_texts(data, doubles), strict=True))
    known: dict[bytes, str] = {}
    for what, row, start, length in deferred[deferred[:, 0] != DOUBLE].tolist():
        raw = data[start : start + length].tobytes()
        if what == EXCEPTION:
            _render_exception(out, row, exception_pairs(raw), texts)
        else:
            text = known.get(raw)
            if text is None:
                text = known[raw] = value_text(raw)
            texts.append((row, text))
    encoded = [text.encode() for _, text in texts]
    lengths = np.array([len(text) for text in encoded], np.int64)
    rows = np.array([row for row, _ in texts], np.int64)
    out.attributes[rows, 2] = lengths
    out.attributes[rows, 1] = ~(at + np.cumsum(lengths) - lengths)
    return np.concatenate([scratch, np.frombuffer(b"".join(encoded), np.uint8)])


def _render_exception(out: Output, row: int, pairs: Pairs, texts: list[tuple[int, str]]) -> None:
    """Fill the two rows kept for type and message; a row that is not needed is dropped."""
    for offset, key in enumerate(EXCEPTION_KEYS):
        found = next((value for name, value in pairs if name == key), None)
        if found is None:
            out.attributes[row + offset, 0] = -1
        else:
            texts.append((row + offset, found))


def _double_texts(data: Bytes, doubles: Ints) -> list[str]:
    if not len(doubles):
        return []
    places = doubles[:, 2][:, None] + np.arange(8)
    values = data[places].view("<f8").ravel()
    if np.isfinite(values).all():
        return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")
    return [double_text(value) for value in values.tolist()]


def _gathered(data: Bytes, scratch: Bytes, attributes: Ints) -> pa.StringArray:
    offsets = np.zeros(len(attributes) + 1, np.int64)
    np.cumsum(attributes[:, 2], out=offsets[1:])
    texts = np.empty(offsets[-1], np.uint8)
    _gather.compiled(data, scratch, attributes, offsets, texts)
    return pa.StringArray.from_buffers(len(attributes), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(texts))


@bare_kernel
def _gather(data: Bytes, scratch: Bytes, attributes: Ints, offsets: Ints, texts: Bytes) -> None:
    for row in range(len(attributes)):
        start, length, to = attributes[row, 1], attributes[row, 2], offsets[row]
        if start >= 0:
            for i in range(length):
                texts[to + i] = data[start + i]
        else:
            for i in range(length):
                texts[to + i] = scratch[~start + i]
