"""Observations as NumPy columns: words become numbers that do not depend on the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.observations import DEFECTS, FAILURES, Observations

__all__ = ["Codes", "Flags", "Floats", "Frame", "Hops", "Ints", "Own", "Place", "Roots", "dense", "frame", "pack"]

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]

_MESSAGE = 1
_TABLE_LIMIT = 1 << 24
_RETRYABLE_4XX = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Place:
    """What can be blamed: a hop, or a service's operation (`caller` and `callee` are then the service)."""

    kind: Literal["call", "message", "peer", "own"]
    caller: str
    callee: str
    operation: str = ""

    @property
    def name(self) -> str:
        return f"{self.caller} {self.operation}" if self.kind == "own" else f"{self.caller}->{self.callee}"


@dataclass(frozen=True, slots=True)
class Roots:
    """One row per trace."""

    names: tuple[str, ...]  # "service operation" of the root
    services: tuple[str, ...]  # of each name
    ids: pa.Array  # binary(16)
    root: Codes  # index into names
    start: Ints
    duration: Ints
    completion: Ints
    refused: Flags  # the root ended with a 4xx: the caller's mistake, not the system's
    failed: Flags
    complete: Flags


@dataclass(frozen=True, slots=True)
class Hops:
    """One row per crossing. -1 stands for a time that is not known."""

    places: tuple[Place, ...]
    brokers: tuple[str, ...]  # of each place: the system that its messages go through, "" where it is no message hop
    trace: Codes
    place: Codes
    arrived: Flags  # the callee's span is there
    answered: Flags  # a row that the place's times can be read from: arrived, or a peer that sends no spans
    again: Flags  # the last of several crossings of one call; `waited` is then that of all of them
    caller_operation: Codes
    callee_operation: Codes
    caller_instance: Codes
    callee_instance: Codes
    instances: tuple[str, ...]
    operations: tuple[str, ...]
    same_host: Flags
    start: Ints
    duration: Ints
    request: Ints  # NaN-free: `has_legs` says where
    response: Ints
    has_legs: Flags
    waited: Ints  # wire or queue time, -1 = none
    path: Ints
    completion_path: Ints
    failure: NDArray[np.int8]  # 4xx answers count as none
    symptom: NDArray[np.int8]  # what the caller saw of a failure, where that is not the failure itself
    refused: Flags  # answered with a 4xx
    origin: Flags
    attempt: NDArray[np.int16]
    wasted: Ints
    payload: Ints  # -1 = unknown


@dataclass(frozen=True, slots=True)
class Own:
    """One row per trace, operation and position."""

    places: tuple[Place, ...]
    trace: Codes
    place: Codes
    position: NDArray[np.int8]
    before: Codes
    after: Codes
    words: tuple[str, ...]
    instance: Codes
    instances: tuple[str, ...]
    start: Ints
    spans: Ints
    errors: Ints
    own: Ints
    path: Ints
    completion_path: Ints


@dataclass(frozen=True, slots=True)
class Frame:
    roots: Roots
    hops: Hops
    own: Own
    lost_context: Codes  # traces whose root is a SERVER or CONSUMER span
    services: tuple[str, ...]


def frame(observations: Observations) -> Frame:
    """The columns that the comparison needs, with words numbered in alphabetical order. O(rows)."""
    hops = _hops(observations.hops)
    own = _own(observations.own)
    defects = observations.defects
    kinds = _numbers(defects, "kind", 0)
    lost = _numbers(defects, "trace", 0)[kinds == DEFECTS.index("broken_context")]
    services = sorted({p.callee for p in own.places} | {p.caller for p in hops.places} | _arrived(hops))
    return Frame(_roots(observations.traces), hops, own, lost.astype(np.int32), tuple(services))


def _arrived(hops: Hops) -> set[str]:
    arrived = np.bincount(hops.place[hops.arrived], minlength=len(hops.places)) > 0
    return {hops.places[p].callee for p in np.flatnonzero(arrived)}


def dense(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, and for each row the index of its key. O(n) for small non-negative keys."""
    if len(keys) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    top = int(keys.max()) + 1
    if top <= max(_TABLE_LIMIT, 4 * len(keys)):
        present = np.zeros(top, dtype=bool)
        present[keys] = True
        distinct = np.flatnonzero(present)
        rank = np.zeros(top, dtype=np.int64)
        rank[distinct] = np.arange(len(distinct))
        return distinct, rank[keys]
    distinct, inverse = np.unique(keys, return_inverse=True)
    return distinct, inverse.reshape(-1)


def pack(*columns: Codes | Ints) -> tuple[Ints, Ints]:
    """Number the distinct combinations of non-negative columns: index of one row that has each, and codes per row."""
    codes: Ints = columns[0].astype(np.int64)
    for column in columns[1:]:
        width = int(column.max()) + 1 if len(column) else 1
        _, codes = dense(codes * width + column)
    distinct, codes = dense(codes)
    sample = np.zeros(len(distinct), dtype=np.int64)
    sample[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return sample, codes


def _numbers(table: pa.Table, name: str, missing: int) -> NDArray[np.int64]:
    column = table[name].fill_null(missing) if table[name].null_count else table[name]
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _flags(table: pa.Table, name: str) -> Flags:
    return np.asarray(table[name].to_numpy(), dtype=np.bool_)


def _words(table: pa.Table, name: str) -> tuple[Codes, tuple[str, ...]]:
    """Codes into the sorted distinct words; 0 is "" and stands for null."""
    column = table[name]
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    raw = ["" if w is None else str(w) for w in chunk.dictionary.to_pylist()]
    indices = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    used = np.zeros(len(raw) + 1, dtype=bool)
    used[indices] = True
    ordered = sorted({"", *(w for w, u in zip(raw, used, strict=False) if u)})
    rank = {word: code for code, word in enumerate(ordered)}
    table_of = np.array([*(rank.get(w, 0) for w in raw), 0], dtype=np.int32)
    return table_of[indices], tuple(ordered)


def _joined(parts: Sequence[tuple[Codes, tuple[str, ...]]]) -> tuple[list[Codes], tuple[str, ...]]:
    """Columns with words of their own brought to one common numbering."""
    ordered = tuple(sorted({word for _, words in parts for word in words} | {""}))
    rank = {word: code for code, word in enumerate(ordered)}
    return [np.array([rank[w] for w in words], dtype=np.int32)[codes] for codes, words in parts], ordered


def _roots(table: pa.Table) -> Roots:
    (service, operation), words = _joined([_words(table, "service"), _words(table, "operation")])
    sample, root = pack(service, operation)
    names = tuple(f"{words[service[i]]} {words[operation[i]]}".strip() or "unknown" for i in sample)
    status = _numbers(table, "http_status", 0)
    refused = (status >= 400) & (status < 500) & ~np.isin(status, _RETRYABLE_4XX)
    ids = table["trace_id"].combine_chunks()
    return Roots(
        names,
        tuple(words[service[i]] for i in sample),
        ids if isinstance(ids, pa.Array) else ids.chunk(0),
        root.astype(np.int32),
        _numbers(table, "start_ns", 0),
        _numbers(table, "duration_ns", 0),
        _numbers(table, "completion_ns", 0),
        refused,
        _flags(table, "failed") & ~refused,
        _flags(table, "complete"),
    )


def _hops(table: pa.Table) -> Hops:
    names = ("caller", "callee", "peer", "address")
    (caller, callee, peer, address), words = _joined([_words(table, n) for n in names])
    callee = np.where(callee > 0, callee, np.where(peer > 0, peer, address))
    kind = _numbers(table, "kind", 0)
    arrived = np.asarray(table["callee_span_id"].to_numpy(), dtype=np.uint64) > 0
    message = (kind == _MESSAGE).astype(np.int64)
    sample, place = pack(caller, callee, message)
    is_call = np.bincount(place[arrived], minlength=len(sample)) > 0
    places = tuple(
        Place(
            "message" if message[i] else ("call" if is_call[p] else "peer"),
            words[caller[i]] or "unknown",
            words[callee[i]] or "unknown",
        )
        for p, i in enumerate(sample)
    )
    brokers = tuple(words[peer[i]] if message[i] else "" for i in sample)
    call = (is_call & (message[sample] == 0))[place]
    wire, queue = _numbers(table, "wire_ns", -1), _numbers(table, "queue_ns", -1)
    waited = np.where(message > 0, queue, wire)
    legs = table["request_leg_ns"].is_valid().to_numpy() & table["response_leg_ns"].is_valid().to_numpy()
    unheard, again = _repeated(table, call & arrived & legs, place, waited)
    (caller_operation, callee_operation), operations = _joined(
        [_words(table, "caller_operation"), _words(table, "callee_operation")]
    )
    (caller_instance, callee_instance, caller_host, callee_host), instances = _joined(
        [_words(table, n) for n in ("caller_instance", "callee_instance", "caller_host", "callee_host")]
    )
    status = _numbers(table, "http_status", 0)
    refused = (status >= 400) & (status < 500) & ~np.isin(status, _RETRYABLE_4XX)
    failure = np.where(refused & (_numbers(table, "failure", 0) == FAILURES.index("client_error")), 0, table["failure"])
    return Hops(
        places,
        brokers,
        _numbers(table, "trace", 0).astype(np.int32),
        place.astype(np.int32),
        arrived,
        (arrived | ~call) & (waited >= 0) & ~unheard,
        again,
        caller_operation,
        callee_operation,
        caller_instance,
        callee_instance,
        instances,
        operations,
        (caller_host > 0) & (caller_host == callee_host),
        _numbers(table, "start_ns", 0),
        _numbers(table, "duration_ns", 0),
        _numbers(table, "request_leg_ns", 0),
        _numbers(table, "response_leg_ns", 0),
        legs,
        waited,
        _numbers(table, "path_ns", 0),
        _numbers(table, "completion_path_ns", 0),
        np.asarray(failure, dtype=np.int8),
        _numbers(table, "symptom", 0).astype(np.int8),
        refused,
        _flags(table, "origin"),
        _numbers(table, "attempt", 0).astype(np.int16),
        _numbers(table, "wasted_ns", 0),
        _numbers(table, "payload_bytes", -1),
    )


def _repeated(table: pa.Table, candidate: Flags, place: Ints, waited: Ints) -> tuple[Flags, Flags]:
    """Crossings after which the same CLIENT span crossed the same hop again, and the last ones of such calls.

    A client library that hears no answer repeats the request on its own; the call took as long as all of them, which
    is what `waited` of the last one becomes. Only the last crossing of a call has a response leg.
    """
    unheard, again = np.zeros(len(place), dtype=bool), np.zeros(len(place), dtype=bool)
    response = _numbers(table, "response_leg_ns", 0)
    suspects = candidate & (response == 0)
    if not suspects.any():
        return unheard, again
    trace = _numbers(table, "trace", 0)
    looked = np.zeros(int(trace.max()) + 1, dtype=bool)
    looked[trace[suspects]] = True
    rows = np.flatnonzero(candidate & looked[trace])
    span = np.asarray(table["span_id"].take(pa.array(rows)).to_numpy(), dtype=np.uint64)
    _, of_span = np.unique(span, return_inverse=True)
    _, call = pack(trace[rows], place[rows], of_span.reshape(-1))
    calls = int(call.max()) + 1
    last = np.zeros(calls, dtype=np.int64)
    # Only the last crossing has a response leg, or none has; then it does not matter which one stands for the call.
    order = np.lexsort((_numbers(table, "request_leg_ns", 0)[rows], response[rows], call))
    last[call[order]] = rows[order]
    several = np.bincount(call, minlength=calls) > 1
    whole = np.zeros(calls, dtype=np.int64)
    np.add.at(whole, call, np.maximum(waited[rows], 0))
    again[last[several]] = True
    waited[last[several]] = whole[several]
    unheard[rows[several[call]]] = True
    unheard[last[several]] = False
    return unheard, again


def _own(table: pa.Table) -> Own:
    (service, operation), words = _joined([_words(table, "service"), _words(table, "operation")])
    sample, place = pack(service, operation)
    places = tuple(
        Place("own", words[service[i]] or "unknown", words[service[i]] or "unknown", words[operation[i]])
        for i in sample
    )
    (before, after), neighbours = _joined([_words(table, "before"), _words(table, "after")])
    instance, instances = _words(table, "instance")
    return Own(
        places,
        _numbers(table, "trace", 0).astype(np.int32),
        place.astype(np.int32),
        _numbers(table, "position", 0).astype(np.int8),
        before,
        after,
        neighbours,
        instance,
        instances,
        _numbers(table, "start_ns", 0),
        _numbers(table, "spans", 0),
        _numbers(table, "errors", 0),
        _numbers(table, "own_ns", 0),
        _numbers(table, "path_ns", 0),
        _numbers(table, "completion_path_ns", 0),
    )
