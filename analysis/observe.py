"""Spans in, observations out: one pass over complete traces, independent of everything outside each trace."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from analysis.failures import ERROR_TEXTS
from analysis.hops_retries import MESSAGE_COUNT, MESSAGE_IDENTITY, REQUEST_IDENTITY
from analysis.kernel import COMPILE_FROM
from analysis.observations import Observations, concat
from analysis.observe_measure import measure
from analysis.observe_tables import defects_table, hops_table, linked_hops_table, own_table, traces_table
from analysis.tree import plant
from analysis.tree_columns import read_columns
from analysis.tree_order import TraceOrder, order_by_trace

__all__ = ["ATTRIBUTES_READ", "observe"]

ATTRIBUTES_READ = frozenset((*ERROR_TEXTS, *REQUEST_IDENTITY, *MESSAGE_IDENTITY, MESSAGE_COUNT))
"""The attributes of spans that observations depend on: a reader may leave out all others."""

PART_SPANS = 250_000
"""Traces are observed in parts of about so many spans: bounds the memory of a large table, and gives threads work."""

MOST_THREADS = 4
"""Each holds some 300 MB of a part's arrays."""


def observe(spans: pa.Table) -> Observations:
    """All rows that the comparison needs of these complete traces.

    `spans` follows SPAN_SCHEMA; traces need not stand together. O(spans log spans per trace); the order of rows and
    repeated rows do not matter. Traces come out in the order of their first starts.
    """
    observed = _observe_parts(spans)
    # The columns of a table in many chunks were copied, a gigabyte for ten million spans: give it back to the system.
    pa.default_memory_pool().release_unused()
    return concat(observed)


def _observe_parts(spans: pa.Table) -> list[Observations]:
    columns, links = read_columns(spans)
    order = order_by_trace(columns)

    def observe_part(part: TraceOrder) -> Observations:
        forest = plant(columns, part, links)
        found = measure(forest, spans)
        hops = [hops_table(found)]
        if len(forest.foreign.source):
            hops.append(linked_hops_table(found))
        return Observations(
            traces_table(found),
            pa.concat_tables(hops).unify_dictionaries(),
            own_table(found),
            defects_table(found),
        )

    parts = list(_parts(order))
    if len(spans) < COMPILE_FROM or len(parts) < 2:
        return [observe_part(part) for part in parts]
    with ThreadPoolExecutor(min(pa.cpu_count(), MOST_THREADS)) as threads:
        return list(threads.map(observe_part, parts))


def _parts(order: TraceOrder) -> Iterator[TraceOrder]:
    begin, traces = 0, len(order.first) - 1
    while begin < traces:
        end = int(np.searchsorted(order.first, order.first[begin] + PART_SPANS, side="right")) - 1
        end = max(end, begin + 1)
        yield order.part(begin, end)
        begin = end
