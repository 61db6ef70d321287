"""Traces that a query asks for. Terms about spans hold together for one span, terms about the trace for the trace."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from analysis.observations import FAILURES, Observations
from analysis.search_query import KINDS, Term
from analysis.span_table import STATUS_ERROR

__all__ = ["HITS_SCHEMA", "asks_for_failures", "search"]

HITS_SCHEMA = pa.schema(
    [
        pa.field("trace_id", pa.binary(16), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),  # first start to last end of the trace's spans
        pa.field("service", pa.string()),  # of the earliest root, else of the earliest span
        pa.field("operation", pa.string()),
        pa.field("spans", pa.int64(), nullable=False),
        pa.field("errors", pa.int64(), nullable=False),  # spans with status error
        pa.field("matched_ns", pa.int64(), nullable=False),  # duration of the longest span that matched
    ]
)

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal, "!=": pc.not_equal, ">": pc.greater, ">=": pc.greater_equal, "<": pc.less, "<=": pc.less_equal,
}  # fmt: skip
_OF_TRACE = ("failed", "time", "trace", "trace.duration")
_COLUMNS = {
    "service": "service",
    "operation": "name",
    "peer": "peer",
    "address": "address",
    "destination": "destination",
    "host": "host",
    "instance": "instance",
    "error": "error_type",
}
_NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def asks_for_failures(terms: Sequence[Term]) -> bool:
    """Whether the search needs observations."""
    return any(term.field == "failed" for term in terms)


def search(
    spans: pa.Table,
    terms: Sequence[Term],
    *,
    observations: Observations | None = None,
    order: Literal["newest", "slowest"] = "newest",
    limit: int | None = None,
) -> pa.Table:
    """HITS_SCHEMA of the traces that match, newest or slowest first. O(spans x terms)."""
    if not len(spans):
        return HITS_SCHEMA.empty_table()
    matching = spans
    for term in terms:
        if term.field not in _OF_TRACE:
            matching = matching.filter(pc.fill_null(_mask(matching, term), fill_value=False))
    durations = pc.subtract(matching["end_ns"], matching["start_ns"])
    matched = (
        pa.table({"trace_id": matching["trace_id"], "matched_ns": durations})
        .group_by("trace_id")
        .aggregate([("matched_ns", "max")])
        .rename_columns(["trace_id", "matched_ns"])
    )
    whole = spans.filter(pc.is_in(spans["trace_id"], matched["trace_id"].combine_chunks()))
    hits = _summaries(whole).join(matched, "trace_id")
    for term in terms:
        if term.field in _OF_TRACE:
            hits = hits.filter(_trace_mask(hits, term, observations))
    by = "start_ns" if order == "newest" else "duration_ns"
    hits = hits.select(HITS_SCHEMA.names).sort_by([(by, "descending"), ("trace_id", "ascending")])
    return hits.slice(0, limit).cast(HITS_SCHEMA)


def _mask(spans: pa.Table, term: Term) -> pa.ChunkedArray:
    compare = _COMPARE[term.operator]
    match term.field:
        case "duration":
            return compare(pc.subtract(spans["end_ns"], spans["start_ns"]), term.number)
        case "kind":
            return compare(spans["kind"], KINDS.index(term.value.lower()) + 1)
        case "status" if term.value.isdecimal():
            return compare(spans["http_status"], int(term.value))
        case "status":
            wants_error = (term.value == "error") == (term.operator == "=")
            return (pc.equal if wants_error else pc.not_equal)(pc.fill_null(spans["status"], 0), STATUS_ERROR)
        case field if field in _COLUMNS:
            return _text_mask(_plain(spans[_COLUMNS[field]]), term)
    return _text_mask(pc.map_lookup(spans["attributes"], term.field, "first"), term)


def _plain(words: pa.ChunkedArray) -> pa.ChunkedArray:
    return words.cast(pa.string())


def _text_mask(texts: pa.ChunkedArray, term: Term) -> pa.ChunkedArray:
    """Text equal to a value (`*` stands for anything), or numbers compared as numbers."""
    if term.operator in ("=", "!="):
        pattern = "(?s)^" + ".*".join(re.escape(part) for part in term.value.split("*")) + "$"
        found = pc.match_substring_regex(texts, pattern) if "*" in term.value else pc.equal(texts, term.value)
        return found if term.operator == "=" else pc.invert(pc.fill_null(found, fill_value=False))
    try:
        wanted: float | str = float(term.value)
    except ValueError:
        return _COMPARE[term.operator](texts, term.value)
    is_number = pc.match_substring_regex(texts, _NUMBER)
    return _COMPARE[term.operator](pc.if_else(is_number, texts, None).cast(pa.float64()), wanted)


def _summaries(spans: pa.Table) -> pa.Table:
    """One row per trace."""
    table = pa.table(
        {
            "trace_id": spans["trace_id"],
            "start_ns": spans["start_ns"],
            "end_ns": spans["end_ns"],
            "errors": pc.equal(pc.fill_null(spans["status"], 0), STATUS_ERROR).cast(pa.int64()),
        }
    )
    grouped = table.group_by("trace_id").aggregate(
        [("start_ns", "min"), ("end_ns", "max"), ("errors", "sum"), ("start_ns", "count")]
    )
    summary = pa.table(
        {
            "trace_id": grouped["trace_id"],
            "start_ns": grouped["start_ns_min"],
            "duration_ns": pc.subtract(grouped["end_ns_max"], grouped["start_ns_min"]),
            "spans": grouped["start_ns_count"],
            "errors": grouped["errors_sum"],
        }
    )
    return summary.join(_firsts(spans), "trace_id")


def _firsts(spans: pa.Table) -> pa.Table:
    """Service and operation of each trace's earliest root, or of its earliest span where the root is missing."""
    table = pa.table(
        {
            "trace_id": spans["trace_id"],
            "service": _plain(spans["service"]),
            "operation": _plain(spans["name"]),
            "child": pc.not_equal(spans["parent_span_id"], pa.scalar(0, pa.uint64())),
            "start_ns": spans["start_ns"],
        }
    ).sort_by([("child", "ascending"), ("start_ns", "ascending")])
    firsts = table.group_by("trace_id", use_threads=False).aggregate([("service", "first"), ("operation", "first")])
    return firsts.rename_columns(["trace_id", "service", "operation"])


def _trace_mask(hits: pa.Table, term: Term, observations: Observations | None) -> Any:
    match term.field:
        case "time":
            return _COMPARE[term.operator](hits["start_ns"], term.number)
        case "trace.duration":
            return _COMPARE[term.operator](hits["duration_ns"], term.number)
        case "failed":
            assert observations is not None, "failed: needs observations"
            return pc.is_in(hits["trace_id"], _failed_traces(observations, term.value))
    ids = [trace_id.hex() for trace_id in hits["trace_id"].to_pylist()]
    begins = [trace_id.startswith(term.value.lower()) for trace_id in ids]
    return pa.array(begins if term.operator == "=" else list(map(operator.not_, begins)), pa.bool_())


def _failed_traces(observations: Observations, kind: str) -> pa.Array:
    """Ids of the traces with a hop that failed in this way."""
    failure = observations.hops["failure"]
    failed = pc.greater(failure, 0) if kind == "any" else pc.equal(failure, FAILURES.index(kind))
    rows = observations.hops.filter(failed)["trace"]
    return observations.traces["trace_id"].take(rows).combine_chunks()
