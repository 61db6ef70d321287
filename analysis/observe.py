"""Spans in, observations out: one pass over complete traces, independent of everything outside each trace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from analysis.critical_path_walk import WAIT, Path, walk_completion, walk_root
from analysis.failures import classify, mark_origins, read_errors
from analysis.hops import find_crossings
from analysis.hops_legs import measure_legs
from analysis.hops_retries import count_attempts
from analysis.kernel import COMPILE_FROM
from analysis.observations import Observations, concat
from analysis.observe_tables import Measured, defects_table, hops_table, own_table, traces_table
from analysis.own_time import measure_own_time
from analysis.tree import Forest, plant
from analysis.tree_columns import Int64s, read_columns
from analysis.tree_order import TraceOrder, order_by_trace

__all__ = ["observe"]

PART_SPANS = 250_000
"""Traces are observed in parts of about so many spans: bounds the memory of a large table, and gives threads work."""


def observe(spans: pa.Table) -> Observations:
    """All rows that the comparison needs of these complete traces.

    `spans` follows SPAN_SCHEMA; traces need not stand together. O(spans log spans per trace); the order of rows and
    repeated rows do not matter. Traces come out in the order of their ids.
    """
    columns, links = read_columns(spans)
    order = order_by_trace(columns.trace_hi, columns.trace_lo)

    def observe_part(part: TraceOrder) -> Observations:
        forest = plant(columns.take(part.rows), part.rows, part.first, links)
        return _observe_forest(forest, spans)

    parts = list(_parts(order))
    if len(spans) < COMPILE_FROM or len(parts) < 2:
        observed = [observe_part(part) for part in parts]
    else:
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as threads:
            observed = list(threads.map(observe_part, parts))
    return concat(observed)


def _parts(order: TraceOrder) -> Iterator[TraceOrder]:
    begin, traces = 0, len(order.first) - 1
    while begin < traces:
        end = int(np.searchsorted(order.first, order.first[begin] + PART_SPANS, side="right")) - 1
        end = max(end, begin + 1)
        yield order.part(begin, end)
        begin = end


def _observe_forest(forest: Forest, spans: pa.Table) -> Observations:
    # Each step reads what the steps above it found.
    crossings = find_crossings(forest)
    path = walk_root(forest, crossings)
    completion = walk_completion(forest, crossings, path)
    own = measure_own_time(forest, crossings, path, completion, _waited(forest, completion))
    errors = read_errors(forest, spans)
    failure, symptom = classify(forest, crossings, errors)
    legs = measure_legs(forest, crossings, failure)
    attempts = count_attempts(forest, crossings, failure, errors, spans)
    origin = mark_origins(forest, crossings, attempts.failure, attempts.recovered)
    measured = Measured(forest, crossings, path, completion, own, errors, legs, attempts, symptom, origin)
    return Observations(traces_table(measured), hops_table(measured), own_table(measured), defects_table(measured))


def _waited(forest: Forest, completion: Path) -> Int64s:
    waiting = completion.what == WAIT
    length = completion.end_ns[waiting] - completion.begin_ns[waiting]
    waited = np.zeros(len(forest), np.int64)
    np.add.at(waited, completion.span[waiting], length)
    return waited
