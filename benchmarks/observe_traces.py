"""Traces like the shop's, made in columns: the input of the benchmarks of `observe`.

One checkout is 16 spans of six services: a generator's CLIENT span, calls, database spans and a message with two
consumers. Each trace has a speed of its own, ids are random, and spans stand in the order in which exporters send them:
by service, in batches, so that no trace stands together.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from analysis.span_table import SPAN_SCHEMA

__all__ = ["shop_traces"]

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
US = 1000
# (name, service, kind, parent, start in us after the parent's, duration in us, peer, address); parents stand first.
SHAPE = (
    ("POST /checkout", "locust", CLIENT, -1, 0, 90_000, None, "127.0.0.1:8000"),
    ("POST /checkout", "gateway", SERVER, 0, 2_000, 86_000, None, None),
    ("POST /checkout http receive", "gateway", INTERNAL, 1, 300, 200, None, None),
    ("GET", "gateway", CLIENT, 1, 1_000, 20_000, None, "127.0.0.1:8001"),
    ("GET /stock", "inventory", SERVER, 3, 2_000, 16_000, None, None),
    ("GET", "inventory", CLIENT, 4, 1_000, 2_000, "redis", "127.0.0.1:6379"),
    ("SELECT", "inventory", CLIENT, 4, 5_000, 8_000, "postgresql", "127.0.0.1:5432"),
    ("POST", "gateway", CLIENT, 1, 25_000, 40_000, None, "127.0.0.1:8002"),
    ("POST /charge", "payment", SERVER, 7, 2_000, 36_000, None, None),
    ("POST", "payment", CLIENT, 8, 3_000, 28_000, None, "127.0.0.1:9000"),
    ("orders create", "gateway", PRODUCER, 1, 70_000, 50, "nats", None),
    ("orders publish", "gateway", PRODUCER, 10, 60, 1_500, "nats", "127.0.0.1:4222"),
    ("orders process", "fulfillment", CONSUMER, 10, 6_000, 120_000, "nats", None),
    ("INSERT", "fulfillment", CLIENT, 12, 20_000, 60_000, "postgresql", "127.0.0.1:5432"),
    ("orders process", "email", CONSUMER, 10, 8_000, 30_000, "nats", None),
    ("POST /checkout http send", "gateway", INTERNAL, 1, 82_000, 300, None, None),
)


def shop_traces(traces: int, seed: int = 1) -> pa.Table:
    """A span table of `traces` checkouts."""
    random = np.random.default_rng(seed)
    spans = len(SHAPE)
    trace_id = random.integers(0, 256, (traces, 16), np.uint8)
    span_id = random.integers(1, 2**63, (spans, traces), np.uint64)
    began = 1_700_000_000_000_000_000 + np.sort(random.integers(0, traces * 10_000 * US, traces))
    stretch = random.lognormal(0, 0.3, traces)
    start = np.empty((spans, traces), np.int64)
    length = np.empty((spans, traces), np.int64)
    for i, (_, _, _, parent, offset_us, us, _, _) in enumerate(SHAPE):
        start[i] = (start[parent] if parent >= 0 else began) + (offset_us * US * stretch).astype(np.int64)
        length[i] = (us * US * stretch).astype(np.int64)
    # Exporters flush each service's spans every so often: the order is by service within batches of 400 traces.
    services = [row[1] for row in SHAPE]
    order = np.concatenate(
        [
            i * traces + np.arange(low, min(low + 400, traces))
            for low in range(0, traces, 400)
            for i in sorted(range(spans), key=services.__getitem__)
        ]
    )
    parents = np.zeros((spans, traces), np.uint64)
    for i, row in enumerate(SHAPE):
        if row[3] >= 0:
            parents[i] = span_id[row[3]]
    numbers = {
        "span_id": span_id, "parent_span_id": parents, "start_ns": start, "end_ns": start + length,
        "kind": np.repeat(np.array([row[2] for row in SHAPE], np.int8), traces),
    }  # fmt: skip
    ids = np.ascontiguousarray(np.tile(trace_id, (spans, 1))[order])
    columns: dict[str, pa.Array] = {name: pa.array(values.ravel()[order]) for name, values in numbers.items()}
    columns["trace_id"] = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(order), [None, pa.py_buffer(ids)])
    for name, place in (("service", 1), ("name", 0), ("peer", 6), ("address", 7)):
        columns[name] = _words([row[place] for row in SHAPE], traces, order)
    columns["host"] = _words(["host-1"] * spans, traces, order)
    columns["instance"] = _words([f"{service}-1" for service in services], traces, order)
    rows = len(order)
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in SPAN_SCHEMA], schema=SPAN_SCHEMA)


def _words(per_span: list[str | None], traces: int, order: np.ndarray) -> pa.DictionaryArray:
    encoded = pa.array(per_span, pa.string()).dictionary_encode()
    codes = np.repeat(encoded.indices.fill_null(-1).to_numpy(), traces)[order].astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), encoded.dictionary)
