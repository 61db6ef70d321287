"""Compile the kernels of the trace analysis ahead of their first use: `python -m analysis.warm_kernels`.

Compiling takes numba some ten seconds once; from then on the machine code is read from its cache on disk.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from analysis.critical_path import critical_path
from analysis.kernel import COMPILE_FROM
from analysis.observe import observe
from analysis.span_table import KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER, KIND_SERVER, SPAN_SCHEMA, STATUS_ERROR

__all__ = ["warm_kernels"]


def warm_kernels() -> None:
    """Observe enough traces for the compiled form, with work for every kernel: a failed call, a message, a link."""
    kinds = [KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER]
    size = len(kinds)
    traces = COMPILE_FROM // size + 1
    count = size * traces
    place = np.tile(np.arange(size), traces)
    trace = np.repeat(np.arange(traces, dtype=np.uint64), size)
    trace_id = np.stack([trace, trace], axis=1).tobytes()
    links = [[], [], [], [{"trace_id": bytes(16), "span_id": 3}]]
    words = pa.array(["a", "b"])
    columns = {
        "trace_id": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, pa.py_buffer(trace_id)]),
        "span_id": pa.array(place + 1, pa.uint64()),
        "parent_span_id": pa.array(np.where((place == 1) | (place == 2), 1, 0), pa.uint64()),
        "start_ns": pa.array(place.astype(np.int64)),
        "end_ns": pa.array(np.where(place == 0, 9, place + 1)),
        "kind": pa.array(np.tile(kinds, traces), pa.int8()),
        "status": pa.array(np.where(place == 1, STATUS_ERROR, 0), pa.int8()),
        "service": pa.DictionaryArray.from_arrays(pa.array(place // 3, pa.int32()), words),
        "name": pa.DictionaryArray.from_arrays(pa.array(place // 3, pa.int32()), words),
        "links": pa.array(links * traces, SPAN_SCHEMA.field("links").type),
    }
    spans = pa.table([columns.get(f.name, pa.nulls(count, f.type)) for f in SPAN_SCHEMA], schema=SPAN_SCHEMA)
    observe(spans)
    critical_path(spans)


if __name__ == "__main__":
    warm_kernels()
