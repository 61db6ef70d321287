"""Retries of calls, and repeated deliveries of messages.

A retry is a later sibling call to the same target after a failed one. The target is the address, else the peer's name,
else the callee's service, together with the span's name: a failed attempt often has no callee span to compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.failures import SpanErrors, attributes_of
from analysis.hops import CALL, MESSAGE, PEER, Crossings
from analysis.observations import FAILURES
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s

__all__ = ["Attempts", "count_attempts"]

Flags = npt.NDArray[np.bool_]
NONE, CONSUMER_ERROR, DUPLICATE = (FAILURES.index(name) for name in ("none", "consumer_error", "duplicate"))
RETRYABLE_REFUSALS = (408, 425, 429)
REQUEST_IDENTITY = (
    "url.full", "http.url", "url.path", "http.target", "db.query.text", "db.statement", "http.request.method",
)  # fmt: skip
"""Attributes that tell two requests apart: calls that differ in one of them are two calls, not two attempts."""
MESSAGE_COUNT = "messaging.batch.message_count"
MESSAGE_IDENTITY = ("messaging.message.id", "messaging.message_id", "messaging.kafka.message.offset")


@dataclass(frozen=True)
class Attempts:
    attempt: npt.NDArray[np.int16]  # 0 = first try
    wasted_ns: Int64s  # from this failed attempt's start to the next one's
    recovered: Flags  # failed, and a later attempt did not
    failure: Int8s  # with duplicates marked


def count_attempts(
    forest: Forest, crossings: Crossings, failure: Int8s, errors: SpanErrors, spans: pa.Table
) -> Attempts:
    attempts = Attempts(
        np.zeros(len(crossings), np.int16), np.zeros(len(crossings), np.int64),
        np.zeros(len(crossings), np.bool_), failure.copy(),
    )  # fmt: skip
    _retries(forest, crossings, failure, errors, spans, attempts)
    _redeliveries(forest, crossings, failure, spans, attempts)
    return attempts


def _retries(
    forest: Forest, crossings: Crossings, failure: Int8s, errors: SpanErrors, spans: pa.Table, attempts: Attempts
) -> None:
    if not failure.any():
        return
    columns, start, end = forest.columns, forest.columns.start_ns, forest.end_ns
    carried = (crossings.inferred == 0) & ((crossings.kind == CALL) | (crossings.kind == PEER))
    rows = np.flatnonzero(carried & (forest.up[crossings.caller] >= 0))
    if len(rows) < 2:
        return
    caller = crossings.caller[rows]
    target = np.where(
        columns.address.codes[caller] >= 0,
        columns.address.codes[caller] * 4,
        np.where(
            columns.peer.codes[caller] >= 0,
            columns.peer.codes[caller] * 4 + 1,
            np.where(crossings.callee[rows] >= 0, columns.service.codes[crossings.callee[rows]] * 4 + 2, -1),
        ),
    )
    keys = (caller, target, columns.name.codes[caller], forest.up[caller])
    order = np.lexsort(keys)
    rows, caller = rows[order], caller[order]
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys[1:]])
    refused = (errors.answer[caller] == 4) & ~np.isin(errors.status[caller], RETRYABLE_REFUSALS)
    failed = (failure[rows] != NONE) & ~refused
    again = np.concatenate([[False], same & failed[:-1] & (end[caller][:-1] <= start[caller][1:])])
    again[again] = ~_differ(spans, forest, caller[np.flatnonzero(again) - 1], caller[again], REQUEST_IDENTITY)
    _write_attempts(rows, start[caller], failure[rows] != NONE, again, attempts)


def _redeliveries(forest: Forest, crossings: Crossings, failure: Int8s, spans: pa.Table, attempts: Attempts) -> None:
    """One message at one consumer twice: another attempt after an error, else a duplicate."""
    rows = np.flatnonzero((crossings.kind == MESSAGE) & (crossings.callee >= 0))
    if len(rows) < 2:
        return
    callee = crossings.callee[rows]
    keys = (callee, forest.columns.name.codes[callee], forest.columns.service.codes[callee], crossings.head[rows])
    order = np.lexsort(keys)
    rows, callee = rows[order], callee[order]
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys[1:]])
    repeated = np.concatenate([[False], same])
    if not repeated.any():
        return
    repeated[repeated] = ~_differ(
        spans, forest, callee[np.flatnonzero(repeated) - 1], callee[repeated], MESSAGE_IDENTITY
    )
    repeated[repeated] = ~_batched(spans, forest, crossings.caller[rows[repeated]])
    failed = failure[rows] == CONSUMER_ERROR
    again = repeated & np.concatenate([[False], failed[:-1]])
    _write_attempts(rows, forest.columns.start_ns[callee], failed, again, attempts)
    attempts.failure[rows[repeated & ~again & (failure[rows] == NONE)]] = DUPLICATE


def _write_attempts(rows: Int64s, start: Int64s, failed: Flags, again: Flags, attempts: Attempts) -> None:
    """`again[i]`: row i is another attempt at what row i - 1 failed to do."""
    if not again.any():
        return
    place = np.arange(len(rows))
    first_of = np.maximum.accumulate(np.where(again, 0, place))
    attempts.attempt[rows] = np.minimum(place - first_of, np.iinfo(np.int16).max)
    later = np.flatnonzero(again)
    attempts.wasted_ns[rows[later - 1]] = start[later] - start[later - 1]
    last_of = np.append(np.flatnonzero(~again)[1:] - 1, len(rows) - 1)
    run = np.cumsum(~again) - 1
    attempts.recovered[rows] = failed & ~failed[last_of[run]]


def _differ(spans: pa.Table, forest: Forest, left: Int64s, right: Int64s, keys: tuple[str, ...]) -> Flags:
    """Whether two spans have different values of an attribute that both have."""
    differ = np.zeros(len(left), np.bool_)
    if not len(left):
        return differ
    pairs = zip(
        attributes_of(spans, forest.rows[left], keys), attributes_of(spans, forest.rows[right], keys), strict=True
    )
    for a, b in pairs:
        differ |= pc.fill_null(pc.not_equal(a, b), fill_value=False).to_numpy(zero_copy_only=False)
    return differ


def _batched(spans: pa.Table, forest: Forest, senders: Int64s) -> Flags:
    """Whether the PRODUCER span sent several messages, so that its consumers are not repetitions."""
    (counts,) = attributes_of(spans, forest.rows[senders], (MESSAGE_COUNT,))
    return np.array([bool(c and c.isdigit() and int(c) > 1) for c in counts.to_pylist()], np.bool_)
