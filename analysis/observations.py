"""Observations: all that the comparison ever sees of a batch of traces.

`observe` turns complete traces into these rows and depends on nothing outside each trace. Rows of two batches
concatenate: `concat([observe(a), observe(b)]) == observe(a + b)`, whatever the split by trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "CATEGORIES",
    "DEFECTS",
    "DEFECTS_SCHEMA",
    "FAILURES",
    "HOPS_SCHEMA",
    "HOP_KINDS",
    "OWN_SCHEMA",
    "POSITIONS",
    "TRACES_SCHEMA",
    "Observations",
    "concat",
]

CATEGORIES = ("self", "wire", "peer", "queue", "overlap", "gap")
"""What a segment of a trace's budget can be; the index is the code in kernels."""

HOP_KINDS = ("call", "message", "peer")

FAILURES = (
    "none", "refused", "reset", "timeout", "truncated", "late", "lost_response", "server_error",
    "lost_message", "consumer_error", "duplicate", "client_error",
)  # fmt: skip
"""How a hop crossing failed; the index is the code in HOPS.failure. A retry is not a failure of its own: see
HOPS.attempt. `client_error`: the caller marked the call as failed and nothing says how."""

DEFECTS = (
    "orphan",
    "broken_context",
    "several_roots",
    "cycle",
    "clock_skew",
    "negative_duration",
    "duplicate_id",
)
"""What can be wrong with a trace as data; the index is the code in DEFECTS.kind. `broken_context` here means "a SERVER
or CONSUMER span that is a root": whether its operation usually has a caller is concluded later, over all traces."""

POSITIONS = ("leaf", "first", "between", "last", "only")
"""Where a stretch of own time sits: in a span without children, before its first child, between two, after the last."""

_WORD = pa.dictionary(pa.int32(), pa.string())
_BUDGET = [pa.field(f"{category}_ns", pa.int64(), nullable=False) for category in CATEGORIES]

TRACES_SCHEMA = pa.schema(
    [
        pa.field("trace_id", pa.binary(16), nullable=False),
        pa.field("service", _WORD),  # of the root span
        pa.field("operation", _WORD),  # name of the root span
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),
        *_BUDGET,  # adds up to duration_ns exactly
        pa.field(
            "completion_ns", pa.int64(), nullable=False
        ),  # root start to the end of the last span reached through messages
        *[
            pa.field(f"completion_{f.name}", f.type, nullable=False) for f in _BUDGET
        ],  # adds up to completion_ns exactly
        pa.field("spans", pa.int32(), nullable=False),
        pa.field("complete", pa.bool_(), nullable=False),  # one root, no orphan
        pa.field("failed", pa.bool_(), nullable=False),  # the root span has status error or a 5xx
        pa.field("http_status", pa.int16()),  # of the root span
    ]
)

HOPS_SCHEMA = pa.schema(
    [
        pa.field("trace", pa.int32(), nullable=False),  # row in TRACES
        pa.field("kind", pa.int8(), nullable=False),  # HOP_KINDS
        pa.field("caller", _WORD),
        pa.field("callee", _WORD),  # of the SERVER or CONSUMER span; null where there is none, until `resolve_callees`
        pa.field("peer", _WORD),  # the caller span's own word for it: peer.service, else the system's name
        pa.field("caller_operation", _WORD),  # name of the CLIENT or PRODUCER span
        pa.field("callee_operation", _WORD),  # name of the SERVER or CONSUMER span; null where there is none
        pa.field("caller_instance", _WORD),
        pa.field("callee_instance", _WORD),
        pa.field("caller_host", _WORD),
        pa.field("callee_host", _WORD),
        pa.field("address", _WORD),
        pa.field("destination", _WORD),
        pa.field(
            "span_id", pa.uint64(), nullable=False
        ),  # of the CLIENT or PRODUCER span (0 = inferred: the caller's span)
        pa.field("callee_span_id", pa.uint64(), nullable=False),  # 0 = none
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),  # of the CLIENT or PRODUCER span
        pa.field("callee_ns", pa.int64()),  # duration of the SERVER or CONSUMER span
        pa.field("request_leg_ns", pa.int64()),  # raw timestamps: may be negative when two clocks disagree
        pa.field("response_leg_ns", pa.int64()),
        pa.field("wire_ns", pa.int64()),  # call: both legs; peer: the whole span; message: null
        pa.field("queue_ns", pa.int64()),  # message only
        pa.field(
            "path_ns", pa.int64(), nullable=False
        ),  # wire, peer or queue time of this crossing on the root's critical path
        pa.field("completion_path_ns", pa.int64(), nullable=False),  # the same on the completion path
        pa.field("failure", pa.int8(), nullable=False),  # FAILURES
        pa.field("origin", pa.bool_(), nullable=False),  # the failure started here: no hop below it failed
        pa.field("error_type", _WORD),
        pa.field("http_status", pa.int16()),
        pa.field("attempt", pa.int16(), nullable=False),  # 0 = first try, n = n-th retry after an error
        pa.field("wasted_ns", pa.int64(), nullable=False),  # time this failed attempt cost before the next one began
        pa.field("payload_bytes", pa.int64()),
        pa.field("symptom", pa.int8(), nullable=False),  # what the caller saw: FAILURES refused..truncated, else none
        # Messages only. A link may name the first of the message's PRODUCER spans instead of the send.
        pa.field("message_span_id", pa.uint64()),
        # The consumer's side of a message that another trace sent: `span_id` is its PRODUCER span there, `caller` null.
        # `resolve_callees` joins it with the sender's row.
        pa.field("linked_trace_id", pa.dictionary(pa.int32(), pa.binary(16))),
    ]
)

# One row per trace, service, operation, position and neighbours: sums over the spans that share them.
OWN_SCHEMA = pa.schema(
    [
        pa.field("trace", pa.int32(), nullable=False),
        pa.field("service", _WORD),
        pa.field("operation", _WORD),
        pa.field("instance", _WORD),
        pa.field("position", pa.int8(), nullable=False),  # POSITIONS
        pa.field("before", _WORD),  # name of the child that ended last before this stretch
        pa.field("after", _WORD),  # name of the child that begins next after it
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("spans", pa.int32(), nullable=False),
        pa.field("errors", pa.int32(), nullable=False),  # spans with status error that no failed child explains
        pa.field("own_ns", pa.int64(), nullable=False),  # time that no child covers
        pa.field("path_ns", pa.int64(), nullable=False),  # the part of it on the root's critical path
        pa.field("completion_path_ns", pa.int64(), nullable=False),
    ]
)

DEFECTS_SCHEMA = pa.schema(
    [
        pa.field("trace", pa.int32(), nullable=False),
        pa.field("kind", pa.int8(), nullable=False),  # DEFECTS
        pa.field("service", _WORD),
        pa.field("operation", _WORD),
        pa.field("span_id", pa.uint64(), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Observations:
    """Four tables that share the row numbers of `traces`."""

    traces: pa.Table
    hops: pa.Table
    own: pa.Table
    defects: pa.Table


def concat(parts: Sequence[Observations]) -> Observations:
    """All rows of all parts, with `trace` renumbered. O(rows)."""
    offset = 0
    children: dict[str, list[pa.Table]] = {"hops": [], "own": [], "defects": []}
    for part in parts:
        for name, tables in children.items():
            table: pa.Table = getattr(part, name)
            column = table.schema.get_field_index("trace")
            moved = pc.add(table["trace"], pa.scalar(offset, pa.int32()))
            tables.append(table.set_column(column, table.schema.field(column), moved))
        offset += len(part.traces)
    schemas = {"hops": HOPS_SCHEMA, "own": OWN_SCHEMA, "defects": DEFECTS_SCHEMA}
    joined = {
        n: pa.concat_tables(ts).unify_dictionaries() if ts else schemas[n].empty_table() for n, ts in children.items()
    }
    traces = [part.traces for part in parts]
    return Observations(
        pa.concat_tables(traces).unify_dictionaries() if traces else TRACES_SCHEMA.empty_table(), **joined
    )
