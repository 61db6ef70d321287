"""From raw spans to the span table: apply the conventions, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.sources import conventions
from analysis.sources.noticed import Warnings
from analysis.sources.raw_spans import RawSpans
from analysis.span_table import KIND_CLIENT, KIND_PRODUCER, KIND_SERVER, SPAN_SCHEMA

__all__ = ["CONVENTIONAL_KEYS", "note_odd_times", "span_table"]

CONVENTIONAL_KEYS = frozenset(
    (
        *conventions.HTTP_STATUS, *conventions.ERROR_TYPE, *conventions.GRPC_STATUS, conventions.ERROR_TAG,
        *conventions.PEER, *conventions.URL, *conventions.DESTINATION, *conventions.REQUEST_BYTES,
        *conventions.RESPONSE_BYTES, *conventions.MESSAGE_BYTES,
        *(key for pair in (*conventions.ENDPOINTS, *conventions.NETWORK_ENDPOINTS) for key in pair),
    )
)  # fmt: skip
"""The attributes that columns beside `attributes` are made from."""

_WORD = pa.dictionary(pa.int32(), pa.string())
_Ints = npt.NDArray[np.int64]
_Codes = npt.NDArray[np.int32]
_YEAR_2262_NS = 9_214_646_400 * 10**9
"""From here on little is left of what 64 bits can count: times that did not fit stand at the end of it."""


def span_table(raw: RawSpans, warnings: Warnings, keep: AbstractSet[str] | None = None) -> pa.Table:
    """`SPAN_SCHEMA` of these spans. O(spans + attributes).

    Spans without ids are left out, spans without an end get their start as end; `warnings` counts both. Of the
    attributes, the table has those that `keep` names (None: all); the other columns do not depend on it.
    """
    attributes = _Attributes(raw)
    outward = np.isin(raw.kind, (0, KIND_CLIENT, KIND_PRODUCER))
    columns = {
        "trace_id": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), len(raw), [None, pa.py_buffer(np.ascontiguousarray(raw.trace_id))]
        ),
        "span_id": pa.array(raw.span_id),
        "parent_span_id": pa.array(raw.parent_span_id),
        "service": _of_process(raw, [process.service for process in raw.processes]),
        "name": raw.name.cast(_WORD),
        "kind": pa.array(raw.kind, mask=raw.kind == 0),
        "start_ns": pa.array(raw.start_ns),
        "end_ns": pa.array(_ends(raw, warnings)),
        "status": pa.array(raw.status),
        "error_type": _error_type(attributes),
        "http_status": attributes.number(conventions.HTTP_STATUS, 3).cast(pa.int16()),
        "peer": attributes.words([(key, None) for key in conventions.PEER], raw.kind != KIND_SERVER),
        "address": _address(attributes, outward),
        "destination": attributes.words([(key, None) for key in conventions.DESTINATION]),
        "payload_bytes": _payload_bytes(attributes),
        "host": _of_process(raw, [process.host for process in raw.processes]),
        "instance": _of_process(raw, [process.instance for process in raw.processes]),
        "links": pa.ListArray.from_arrays(pa.array(raw.link_offsets), raw.links).cast(SPAN_SCHEMA.field("links").type),
        "attributes": _map(raw, keep),
    }
    table = pa.table([columns[name] for name in SPAN_SCHEMA.names], schema=SPAN_SCHEMA)
    return _with_ids(raw, table, warnings)


def _map(raw: RawSpans, keep: AbstractSet[str] | None) -> pa.MapArray:
    offsets, keys, values = raw.attribute_offsets, raw.attribute_keys, raw.attribute_values
    if keep is not None:
        wanted = np.array([*(word in keep for word in keys.dictionary.to_pylist()), False])
        rows = np.flatnonzero(wanted[keys.indices.to_numpy(zero_copy_only=False)])
        offsets = np.searchsorted(rows, offsets).astype(np.int32)
        keys, values = keys.take(pa.array(rows)), values.take(pa.array(rows))
    return pa.MapArray.from_arrays(pa.array(offsets), keys.dictionary_decode(), values)


def _with_ids(raw: RawSpans, table: pa.Table, warnings: Warnings) -> pa.Table:
    usable = raw.trace_id.any(axis=1) & (raw.span_id != 0)
    missing = len(raw) - int(np.count_nonzero(usable))
    warnings.count("span without trace id or span id is left out", missing, many="spans without ids are left out")
    return table.filter(pa.array(usable)) if missing else table


def _ends(raw: RawSpans, warnings: Warnings) -> _Ints:
    unfinished = (raw.end_ns == 0) & (raw.start_ns != 0)
    warnings.count(
        "span has no end time: taken as ending where it starts",
        int(np.count_nonzero(unfinished)),
        many="spans have no end time: taken as ending where they start",
    )
    ends = np.where(unfinished, raw.start_ns, raw.end_ns)
    note_odd_times(raw.start_ns, ends, warnings)
    return ends


def note_odd_times(start_ns: _Ints, end_ns: _Ints, warnings: Warnings) -> None:
    """Count what hardly anybody meant: times never set or in another unit, and ends before starts."""
    unset = int(np.count_nonzero(start_ns == 0))
    warnings.count("span starts in 1970", unset, many="spans start in 1970")
    late = int(np.count_nonzero(np.maximum(start_ns, end_ns) >= _YEAR_2262_NS))
    warnings.count("span is of the year 2262", late, many="spans are of the year 2262")
    backwards = int(np.count_nonzero(end_ns < start_ns))
    warnings.count("span ends before it starts", backwards, many="spans end before they start")


def _of_process(raw: RawSpans, words: Sequence[str | None]) -> pa.DictionaryArray:
    """A word of each span's process."""
    dictionary = pa.array(words, pa.string()).dictionary_encode()
    codes = dictionary.indices.take(pa.array(raw.process))
    return pa.DictionaryArray.from_arrays(codes, dictionary.dictionary)


def _error_type(attributes: _Attributes) -> pa.DictionaryArray:
    plain = [(key, None) for key in conventions.ERROR_TYPE]
    grpc = [(key, _grpc_code_name) for key in conventions.GRPC_STATUS]
    return attributes.words([*plain, *grpc, (conventions.ERROR_TAG, _word_for_error)])


def _grpc_code_name(values: pa.Array) -> pa.Array:
    """Numbers become names; names stay; OK is no error."""
    names = pa.array(conventions.GRPC_CODES)
    numbers = pa.array([str(code) for code in range(len(conventions.GRPC_CODES))])
    named = pc.coalesce(names.take(pc.index_in(values, numbers)), values)
    return pc.if_else(pc.equal(named, "OK"), pa.scalar(None, pa.string()), named)


def _word_for_error(values: pa.Array) -> pa.Array:
    says_nothing = pc.is_in(values, pa.array(conventions.ERROR_WORDS_WITHOUT_TYPE))
    return pc.if_else(says_nothing, pa.scalar(None, pa.string()), values)


def _address(attributes: _Attributes, outward: npt.NDArray[np.bool_]) -> pa.DictionaryArray:
    named = [(host, attributes.joined_port(port)) for host, port in conventions.ENDPOINTS]
    urls = [(key, _host_and_port) for key in conventions.URL]
    network = [(host, attributes.joined_port(port)) for host, port in conventions.NETWORK_ENDPOINTS]
    return attributes.words([*named, *urls, *network], outward)


def _host_and_port(urls: pa.Array) -> pa.Array:
    # Without user and password; an IPv6 host keeps its brackets.
    found = pc.extract_regex(urls, r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<address>[^/?#]+)")
    return pc.struct_field(found, "address")


def _payload_bytes(attributes: _Attributes) -> pa.Array:
    groups = (conventions.REQUEST_BYTES, conventions.RESPONSE_BYTES, conventions.MESSAGE_BYTES)
    parts = [attributes.number(keys, 15) for keys in groups]
    total = pc.fill_null(parts[0], 0)
    for part in parts[1:]:
        total = pc.add(total, pc.fill_null(part, 0))
    any_said = pc.or_(pc.or_(pc.is_valid(parts[0]), pc.is_valid(parts[1])), pc.is_valid(parts[2]))
    return pc.if_else(any_said, total, pa.scalar(None, pa.int64()))


_Transform = Callable[[pa.Array], pa.Array] | Callable[[pa.Array, _Ints], pa.Array] | None


class _Attributes:
    """Attributes by key, over all spans at once."""

    def __init__(self, raw: RawSpans) -> None:
        self._spans = len(raw)
        self._values = raw.attribute_values
        self._keys: _Codes = raw.attribute_keys.indices.to_numpy(zero_copy_only=False)
        used = np.bincount(self._keys, minlength=len(raw.attribute_keys.dictionary)) > 0
        self._codes = {key: code for code, key in enumerate(raw.attribute_keys.dictionary.to_pylist()) if used[code]}
        self._owner = np.repeat(np.arange(self._spans), np.diff(raw.attribute_offsets))
        self._rows: dict[str, tuple[_Ints, _Ints]] = {}

    def of(self, key: str) -> tuple[_Ints, _Ints]:
        """Spans that have `key`, each once, and the attribute row that holds its (first) value."""
        if key not in self._rows:
            rows = np.flatnonzero(self._keys == self._codes[key]) if key in self._codes else np.empty(0, np.int64)
            spans = self._owner[rows]
            first = np.ones(len(rows), np.bool_)
            first[1:] = spans[1:] != spans[:-1]
            self._rows[key] = (spans[first], rows[first])
        return self._rows[key]

    def texts(self, key: str, undecided: npt.NDArray[np.bool_]) -> tuple[_Ints, pa.Array]:
        """Spans among the undecided that have `key`, and its values."""
        spans, rows = self.of(key)
        wanted = undecided[spans]
        return spans[wanted], self._values.take(pa.array(rows[wanted]))

    def words(
        self, candidates: Sequence[tuple[str, _SpanTransform | None]], where: npt.NDArray[np.bool_] | None = None
    ) -> pa.DictionaryArray:
        """For each span the first candidate that it has and whose transform gives a word; else null."""
        undecided = np.ones(self._spans, np.bool_) if where is None else where.copy()
        codes: _Codes = np.full(self._spans, -1, np.int32)
        dictionary: dict[str, int] = {}
        for key, transform in candidates:
            if key not in self._codes:
                continue
            spans, values = self.texts(key, undecided)
            if isinstance(transform, _JoinedPort):
                values = transform(spans, values)
            elif transform is not None:
                values = transform(values)
            encoded = values.dictionary_encode()
            # An empty word says nothing: the next candidate may.
            known = [dictionary.setdefault(w, len(dictionary)) if w else -1 for w in encoded.dictionary.to_pylist()]
            found = np.array([*known, -1], np.int32)[encoded.indices.fill_null(len(known)).to_numpy()]
            codes[spans] = found
            undecided[spans] = found < 0
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(list(dictionary), pa.string()))

    def number(self, keys: Sequence[str], digits: int) -> pa.Array:
        """For each span the first of `keys` that holds a whole number (also as `["123"]`); else null."""
        undecided = np.ones(self._spans, np.bool_)
        result = np.zeros(self._spans, np.int64)
        for key in keys:
            if key not in self._codes:
                continue
            spans, values = self.texts(key, undecided)
            found = pc.struct_field(pc.extract_regex(values, rf'^\[?"?(?P<n>[0-9]{{1,{digits}}})"?\]?$'), "n")
            valid = found.is_valid().to_numpy(zero_copy_only=False)
            result[spans[valid]] = found.drop_null().cast(pa.int64()).to_numpy()
            undecided[spans[valid]] = False
        return pa.array(result, mask=undecided)

    def joined_port(self, key: str) -> _JoinedPort:
        """A transform that appends `:port` where the span has the port's attribute."""
        return _JoinedPort(self, key)


class _JoinedPort:
    def __init__(self, attributes: _Attributes, port: str) -> None:
        self._attributes = attributes
        self._port = port

    def __call__(self, spans: _Ints, hosts: pa.Array) -> pa.Array:
        having, rows = self._attributes.of(self._port)
        if not len(having) or not len(spans):
            return hosts
        at = np.minimum(np.searchsorted(having, spans), len(having) - 1)
        has_port = having[at] == spans
        ports = self._attributes._values.take(pa.array(rows[at], mask=~has_port))
        joined = pc.binary_join_element_wise(hosts, ports, ":")
        return pc.coalesce(joined, hosts)


_SpanTransform = Callable[[pa.Array], pa.Array] | _JoinedPort
