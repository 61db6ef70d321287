"""Write what was found in a batch of traces as the four tables of Observations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.closed_budget import category_of, sum_budget
from analysis.critical_path_walk import QUEUE
from analysis.hops import CALL, CONTINUATION, MESSAGE
from analysis.observations import DEFECTS, DEFECTS_SCHEMA, FAILURES, HOPS_SCHEMA, OWN_SCHEMA, TRACES_SCHEMA
from analysis.observe_measure import Measured
from analysis.span_table import KIND_CONSUMER, KIND_SERVER
from analysis.tree import Forest
from analysis.tree_columns import Int64s, Words

__all__ = ["defects_table", "hops_table", "linked_hops_table", "own_table", "trace_ids", "traces_table"]


def trace_ids(forest: Forest) -> pa.Array:
    leader = forest.first[:-1]
    return binary_ids(forest.columns.trace_hi[leader], forest.columns.trace_lo[leader])


def binary_ids(trace_hi: Int64s, trace_lo: Int64s) -> pa.Array:
    ids = np.stack([trace_hi, trace_lo], axis=1)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(ids.tobytes())])


def traces_table(m: Measured) -> pa.Table:
    forest, columns, root = m.forest, m.forest.columns, m.forest.root
    category = category_of(m.crossings, m.own.leaf)
    budget = sum_budget(forest, category, m.path, m.own.uncovered_ns)
    longer = sum_budget(forest, category, m.completion, m.own.completion_uncovered_ns)
    last = np.where(m.crossings.last >= 0, m.crossings.last, root)
    linked = (forest.parent < 0) & (m.crossings.via >= 0)
    tops = (forest.parent < 0) & ~linked
    orphans = np.bincount(forest.trace, weights=forest.orphan, minlength=forest.traces)
    complete = (np.bincount(forest.trace, weights=tops, minlength=forest.traces) == 1) & (orphans == 0)
    start = columns.start_ns[root]
    return _table(
        TRACES_SCHEMA,
        {
            "trace_id": trace_ids(forest),
            "service": columns.service.take(root),
            "operation": columns.name.take(root),
            "start_ns": start,
            "duration_ns": forest.end_ns[root] - start,
            **{f"{name}_ns": sums for name, sums in budget.items()},
            "completion_ns": forest.end_ns[last] - start,
            **{f"completion_{name}_ns": sums for name, sums in longer.items()},
            "spans": np.diff(forest.first),
            "complete": complete,
            "failed": m.errors.failed[root],
            "http_status": _nullable(columns.http_status[root], columns.http_status[root] > 0),
        },
    )


def hops_table(m: Measured) -> pa.Table:
    """One row per crossing; continuations of a consumer are no hops."""
    forest, columns, crossings = m.forest, m.forest.columns, m.crossings
    path_ns, completion_path_ns = _path_shares(m)
    rows = np.flatnonzero(crossings.kind != CONTINUATION)
    caller, callee = crossings.caller[rows], crossings.callee[rows]
    inferred, called = crossings.inferred[rows] != 0, crossings.callee[rows] >= 0
    carrier = np.where(inferred, -1, caller)
    # An inferred call is known by its callee alone; of an inferred message nothing is known of the sending.
    timed = np.where(inferred & (crossings.kind[rows] == CALL), callee, caller)
    duration = forest.end_ns[timed] - columns.start_ns[timed]
    duration = np.where(inferred & (crossings.kind[rows] == MESSAGE), 0, duration)
    words = {
        "caller": columns.service.take(caller),
        "callee": columns.service.take(callee),
        "peer": columns.peer.take(carrier),
        "caller_operation": columns.name.take(caller),
        "callee_operation": columns.name.take(callee),
        "caller_instance": columns.instance.take(caller),
        "callee_instance": columns.instance.take(callee),
        "caller_host": columns.host.take(caller),
        "callee_host": columns.host.take(callee),
        "address": columns.address.take(carrier),
        "destination": _either(columns.destination, carrier, callee),
        "error_type": _either(columns.error_type, carrier, callee),
    }
    status = np.where(inferred, 0, m.errors.status[caller])
    status = np.where((status == 0) & called, m.errors.status[callee], status)
    payload = np.where(inferred, -1, columns.payload_bytes[caller])
    payload = np.where((payload < 0) & called, columns.payload_bytes[callee], payload)
    legs = m.legs
    return _table(
        HOPS_SCHEMA,
        {
            **words,
            "trace": forest.trace[np.where(called, callee, caller)],
            "kind": crossings.kind[rows],
            "span_id": np.where(inferred, 0, columns.span_id[caller]).view(np.uint64),
            "callee_span_id": np.where(called, columns.span_id[callee], 0).view(np.uint64),
            "start_ns": columns.start_ns[timed],
            "duration_ns": duration,
            "callee_ns": _nullable(forest.end_ns[callee] - columns.start_ns[callee], called),
            "request_leg_ns": _nullable(legs.request_ns[rows], legs.has_request[rows]),
            "response_leg_ns": _nullable(legs.response_ns[rows], legs.has_response[rows]),
            "wire_ns": _nullable(legs.wire_ns[rows], legs.has_wire[rows]),
            "queue_ns": _nullable(legs.queue_ns[rows], legs.has_queue[rows]),
            "path_ns": path_ns[rows],
            "completion_path_ns": completion_path_ns[rows],
            "failure": m.attempts.failure[rows],
            "origin": m.origin[rows],
            "http_status": _nullable(status, status > 0),
            "attempt": m.attempts.attempt[rows],
            "wasted_ns": m.attempts.wasted_ns[rows],
            "payload_bytes": _nullable(payload, payload >= 0),
            "symptom": m.symptom[rows],
            "message_span_id": _nullable(
                columns.span_id[crossings.head[rows]].view(np.uint64), (crossings.head[rows] >= 0) & ~inferred
            ),
            "linked_trace_id": pa.nulls(len(rows), HOPS_SCHEMA.field("linked_trace_id").type),
        },
    )


def linked_hops_table(m: Measured) -> pa.Table:
    """The consumers' side of messages that other traces sent: one row of HOPS per link."""
    columns, foreign = m.forest.columns, m.forest.foreign
    consumer, count = foreign.source, len(foreign.source)
    failed = m.errors.failed[consumer]
    length = m.forest.end_ns[consumer] - columns.start_ns[consumer]
    known = {
        "trace": m.forest.trace[consumer],
        "kind": np.full(count, MESSAGE),
        "callee": columns.service.take(consumer),
        "callee_operation": columns.name.take(consumer),
        "callee_instance": columns.instance.take(consumer),
        "callee_host": columns.host.take(consumer),
        "destination": columns.destination.take(consumer),
        "span_id": foreign.span_id.view(np.uint64),
        "callee_span_id": columns.span_id[consumer].view(np.uint64),
        "start_ns": columns.start_ns[consumer],
        "callee_ns": length,
        "failure": np.where(failed, FAILURES.index("consumer_error"), 0),
        "origin": failed,
        "error_type": columns.error_type.take(consumer),
        "linked_trace_id": binary_ids(foreign.trace_hi, foreign.trace_lo).dictionary_encode(),
    }
    missing = {
        field.name: pa.nulls(count, field.type) if field.nullable else np.zeros(count, np.int64)
        for field in HOPS_SCHEMA
        if field.name not in known
    }
    return _table(HOPS_SCHEMA, {**known, **missing})


def _path_shares(m: Measured) -> tuple[Int64s, Int64s]:
    """Per crossing its part of the root's path and of the completion path."""
    crossings = m.crossings
    carried = np.flatnonzero(crossings.carrier >= 0)
    hop = crossings.hop[crossings.carrier[carried]]
    shares = np.zeros(len(crossings), np.int64), np.zeros(len(crossings), np.int64)
    for share, uncovered in zip(shares, (m.own.uncovered_ns, m.own.completion_uncovered_ns), strict=True):
        np.add.at(share, hop, uncovered[carried])
    queued = np.flatnonzero(m.completion.what == QUEUE)
    length = m.completion.end_ns[queued] - m.completion.begin_ns[queued]
    np.add.at(shares[1], crossings.via[m.completion.span[queued]], length)
    return shares


def own_table(m: Measured) -> pa.Table:
    columns, own = m.forest.columns, m.own
    return _table(
        OWN_SCHEMA,
        {
            "trace": m.forest.trace[own.span],
            "service": columns.service.take(own.span),
            "operation": columns.name.take(own.span),
            "instance": columns.instance.take(own.span),
            "position": own.position,
            "before": columns.name.take(own.before),
            "after": columns.name.take(own.after),
            "start_ns": own.start_ns,
            "spans": own.spans,
            "errors": own.errors,
            "own_ns": own.own_ns,
            "path_ns": own.path_ns,
            "completion_path_ns": own.completion_path_ns,
        },
    )


def defects_table(m: Measured) -> pa.Table:
    """One row per defect and span, by trace."""
    forest, columns, crossings = m.forest, m.forest.columns, m.crossings
    top = (forest.parent < 0) & (forest.orphan == 0) & (forest.cut == 0)
    main = np.zeros(len(forest), np.bool_)
    main[forest.root] = True
    entered = (columns.kind == KIND_SERVER) | (columns.kind == KIND_CONSUMER)
    carried = (crossings.inferred == 0) & (crossings.callee >= 0)
    early = columns.start_ns[crossings.callee] < columns.start_ns[crossings.caller]
    skewed = crossings.callee[carried & early & (crossings.kind != CONTINUATION)]
    found = {
        "orphan": np.flatnonzero(forest.orphan),
        "broken_context": np.flatnonzero(top & entered & (forest.linked == 0)),
        "several_roots": np.flatnonzero(top & ~main & (forest.linked == 0)),
        "cycle": np.flatnonzero(forest.cut),
        "clock_skew": np.unique(skewed),
        "negative_duration": np.flatnonzero(columns.end_ns < columns.start_ns),
    }
    span = np.concatenate(list(found.values()))
    kind = np.concatenate([np.full(len(spans), DEFECTS.index(name), np.int8) for name, spans in found.items()])
    left_out, count = forest.conflicts, len(forest.conflicts)
    kind = np.concatenate([kind, np.full(count, DEFECTS.index("duplicate_id"), np.int8)])
    trace = np.concatenate([forest.trace[span], forest.conflict_trace])
    order = np.lexsort((kind, trace))
    services = np.concatenate([columns.service.codes[span], left_out.service.codes])[order]
    names = np.concatenate([columns.name.codes[span], left_out.name.codes])[order]
    return _table(
        DEFECTS_SCHEMA,
        {
            "trace": trace[order],
            "kind": kind[order],
            "service": Words(services, columns.service.values),
            "operation": Words(names, columns.name.values),
            "span_id": np.concatenate([columns.span_id[span], left_out.span_id])[order].view(np.uint64),
            "start_ns": np.concatenate([columns.start_ns[span], left_out.start_ns])[order],
        },
    )


def _either(words: Words, first: Int64s, second: Int64s) -> Words:
    """The word of the first span, else that of the second."""
    codes = words.take(first).codes
    return Words(np.where(codes >= 0, codes, words.take(second).codes), words.values)


def _nullable(values: npt.NDArray[np.generic], known: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(values) if known.all() else pa.array(values, mask=~known)


def _table(schema: pa.Schema, columns: dict[str, object]) -> pa.Table:
    arrays = []
    for field in schema:
        column = columns[field.name]
        array = column.arrow() if isinstance(column, Words) else column
        array = array if isinstance(array, pa.Array) else pa.array(array)
        arrays.append(array if array.type == field.type else array.cast(field.type))
    return pa.table(arrays, schema=schema)
