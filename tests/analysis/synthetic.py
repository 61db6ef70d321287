"""Observations of a synthetic shop, built directly: thousands of traces in a fraction of a second, with known faults.

Every trace of `POST /checkout`: locust -> gateway -> inventory (redis, postgresql), payment (bank); then the order
message to fulfillment (postgresql), and from there one to email. `GET /products` stops after inventory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.observations import (
    CATEGORIES, FAILURES, HOP_KINDS, HOPS_SCHEMA, OWN_SCHEMA, POSITIONS, TRACES_SCHEMA, DEFECTS_SCHEMA, Observations,
)  # fmt: skip

Floats = NDArray[np.float64]
MS = 1_000_000
T0 = 1_790_000_000_000_000_000


@dataclass
class Edge:
    """One hop of the topology, with mean legs in ms."""

    kind: str
    caller: str
    callee: str
    operation: str
    request_ms: float
    response_ms: float
    parent: int  # index of the edge that brings the request to the caller; -1: the root


CHECKOUT = [
    Edge("call", "locust", "gateway", "POST /checkout", 1.0, 1.0, -1),
    Edge("call", "gateway", "inventory", "POST /reserve", 1.0, 1.0, 0),
    Edge("peer", "inventory", "redis", "GET", 0.4, 0.4, 1),
    Edge("peer", "inventory", "postgresql", "SELECT", 1.5, 1.5, 1),
    Edge("call", "gateway", "payment", "POST /charge", 1.0, 1.2, 0),
    Edge("call", "payment", "bank", "POST /authorize", 1.5, 1.5, 4),
    Edge("message", "gateway", "fulfillment", "orders.paid", 1.5, 0.0, 0),
    Edge("peer", "fulfillment", "postgresql", "INSERT", 1.5, 1.5, 6),
    Edge("message", "fulfillment", "email", "orders.shipped", 1.5, 0.0, 6),
]
BROWSE = [
    Edge("call", "locust", "gateway", "GET /products", 1.0, 1.0, -1),
    Edge("call", "gateway", "inventory", "GET /items", 1.0, 1.0, 0),
    Edge("peer", "inventory", "redis", "GET", 0.4, 0.4, 1),
]
OWN_MS = {
    "locust": 0.0,
    "gateway": 4.0,
    "inventory": 3.0,
    "payment": 3.0,
    "bank": 8.0,
    "fulfillment": 3.0,
    "email": 2.0,
}


@dataclass
class Traffic:
    """What a test may change. `legs` adds ms per row to (hop, leg); `own` to a service; `failures` names failed rows.

    Functions get the random generator and the number of traces and return one value per trace.
    """

    traces: int = 300
    start_s: float = 0.0
    seconds: float = 60.0
    seed: int = 1
    noise: float = 0.25  # standard deviation of every time, relative to its mean
    checkout_share: float = 0.7
    legs: dict[tuple[str, str], Callable[[np.random.Generator, int], Floats]] = field(default_factory=dict)
    own: dict[str, Callable[[np.random.Generator, int], Floats]] = field(default_factory=dict)
    failures: dict[str, tuple[str, float]] = field(default_factory=dict)  # hop: (kind, rate)
    payload: dict[str, Callable[[np.random.Generator, int], Floats]] = field(default_factory=dict)
    without: tuple[str, ...] = ()  # hops (and all below) that do not happen
    instances: dict[str, int] = field(default_factory=dict)  # service: number of instances
    instance_own: dict[tuple[str, int], float] = field(default_factory=dict)
    same_host: bool = True


def constant(value: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda _, n: np.full(n, value)


def observe_synthetic(traffic: Traffic) -> Observations:
    """Observations of the traffic, operation after operation."""
    generator = np.random.default_rng(traffic.seed)
    checkouts = round(traffic.traces * traffic.checkout_share)
    parts = [
        _operation("POST /checkout", CHECKOUT, checkouts, traffic, generator),
        _operation("GET /products", BROWSE, traffic.traces - checkouts, traffic, generator),
    ]
    from analysis.observations import concat

    return concat([part for part in parts if len(part.traces)])


def _gamma(generator: np.random.Generator, mean_ms: float, noise: float, n: int) -> Floats:
    if mean_ms == 0:
        return np.zeros(n)
    return generator.gamma(1 / noise**2, mean_ms * noise**2, n) * MS


def _operation(name: str, edges: list[Edge], n: int, traffic: Traffic, generator: np.random.Generator) -> Observations:
    start = T0 + np.sort(generator.uniform(traffic.start_s, traffic.start_s + traffic.seconds, n) * 1e9).astype(
        np.int64
    )
    ids = generator.bytes(16 * n)
    alive = [np.ones(n, dtype=bool)]
    legs, own, failed = [], [], []
    for edge in edges:
        hop = f"{edge.caller}->{edge.callee}"
        pair = []
        for leg, mean in (("request", edge.request_ms), ("response", edge.response_ms)):
            times = _gamma(generator, mean, traffic.noise, n)
            extra = traffic.legs.get((hop, leg))
            pair.append(times + (extra(generator, n) * MS if extra else 0.0))
        legs.append(pair)
        kind, rate = traffic.failures.get(hop, ("none", 0.0))
        failed.append(np.where(generator.uniform(size=n) < rate, FAILURES.index(kind), 0).astype(np.int8))
    del alive
    return _assemble(name, edges, n, start, ids, legs, failed, own, traffic, generator)


def _assemble(name, edges, n, start, ids, legs, failed, own, traffic, generator):  # type: ignore[no-untyped-def]
    """Durations bottom up, crossings in sequence, budget per trace."""
    happens = []
    for i, edge in enumerate(edges):
        above = happens[edge.parent].copy() if edge.parent >= 0 else np.ones(n, dtype=bool)
        if f"{edge.caller}->{edge.callee}" in traffic.without:
            above[:] = False
        if edge.parent >= 0:
            above &= failed[edge.parent] == 0
        happens.append(above)
        del i
    services = [e.callee for e in edges if e.kind != "peer"]
    instance = {s: generator.integers(0, traffic.instances.get(s, 1), n) for s in {*services, "locust"}}
    own_of = {}
    for i, edge in enumerate(edges):
        if edge.kind == "peer":
            continue
        times = _gamma(generator, OWN_MS[edge.callee], traffic.noise, n)
        if edge.callee in traffic.own:
            times = times + traffic.own[edge.callee](generator, n) * MS
        for (service, number), extra in traffic.instance_own.items():
            if service == edge.callee:
                times = times + np.where(instance[service] == number, extra * MS, 0.0)
        own_of[i] = times
    inside = [np.zeros(n) for _ in edges]
    total = [np.zeros(n) for _ in edges]
    for i in range(len(edges) - 1, -1, -1):
        edge = edges[i]
        if edge.kind == "peer":
            inside[i] = np.zeros(n)
        else:
            inside[i] = own_of[i] + sum(
                (
                    total[j] * happens[j]
                    for j in range(len(edges))
                    if edges[j].parent == i and edges[j].kind != "message"
                ),
                np.zeros(n),
            )
        total[i] = legs[i][0] + inside[i] + legs[i][1]
    return _tables(
        name, edges, n, start, ids, legs, failed, happens, own_of, inside, total, instance, traffic, generator
    )


def _tables(name, edges, n, start, ids, legs, failed, happens, own_of, inside, total, instance, traffic, generator):  # type: ignore[no-untyped-def]
    trace = np.arange(n, dtype=np.int32)
    budget = {c: np.zeros(n, dtype=np.int64) for c in CATEGORIES}
    completion = {c: np.zeros(n, dtype=np.int64) for c in CATEGORIES}
    hops: dict[str, list[object]] = {f.name: [] for f in HOPS_SCHEMA}
    own: dict[str, list[object]] = {f.name: [] for f in OWN_SCHEMA}
    begin = [start.astype(np.float64) for _ in edges]
    asynchronous = []
    for i, edge in enumerate(edges):
        if edge.parent >= 0:
            begin[i] = begin[edge.parent] + legs[edge.parent][0] + i * 0.1 * MS
        asynchronous.append(edge.kind == "message" or (edge.parent >= 0 and asynchronous[edge.parent]))
    below_failed = [f > 0 for f in failed]
    for i in range(len(edges) - 1, -1, -1):
        if edges[i].parent >= 0 and edges[i].kind != "message":
            below_failed[edges[i].parent] = below_failed[edges[i].parent] | (below_failed[i] & happens[i])
    for i, edge in enumerate(edges):
        rows = np.flatnonzero(happens[i])
        m = len(rows)
        message, peer = edge.kind == "message", edge.kind == "peer"
        lost = np.isin(
            failed[i], [FAILURES.index(k) for k in ("refused", "reset", "timeout", "truncated", "lost_message")]
        )[rows]
        arrived = ~lost & (not peer)
        request, response = legs[i][0][rows].astype(np.int64), legs[i][1][rows].astype(np.int64)
        wire = request + response
        path = wire if not message else request
        path = np.where(lost, 0, path)
        failure = failed[i][rows].copy()
        origin = failure > 0
        symptom = below_failed[i][rows] & ~origin & (edge.kind == "call")
        failure[symptom] = FAILURES.index("server_error")
        where = "queue" if message else "peer" if peer else "wire"
        np.add.at(completion[where], rows, path)
        if not asynchronous[i]:
            np.add.at(budget[where], rows, path)

        def word(value, mask=None):  # type: ignore[no-untyped-def]
            return pa.array([value] * m, mask=None if mask is None else mask)

        columns = {
            "trace": trace[rows], "kind": np.full(m, HOP_KINDS.index(edge.kind), np.int8),
            "caller": word(edge.caller), "callee": word(edge.callee), "peer": word(edge.callee if peer else None),
            "caller_operation": word(edge.operation), "callee_operation": word(edge.operation, ~arrived),
            "caller_instance": word(edge.caller + "-0"),
            "callee_instance": pa.array([None if not a else f"{edge.callee}-{k}" for a, k in zip(arrived, instance.get(edge.callee, np.zeros(n, int))[rows], strict=True)], pa.string()),
            "caller_host": word("h1"), "callee_host": word("h1" if traffic.same_host else "h2", ~arrived),
            "address": word(None), "destination": word(edge.operation if message else None),
            "span_id": generator.integers(1, 2**63, m, dtype=np.uint64),
            "callee_span_id": np.where(arrived, generator.integers(1, 2**63, m, dtype=np.uint64), np.uint64(0)).astype(np.uint64),
            "start_ns": begin[i][rows].astype(np.int64),
            "duration_ns": (total[i][rows] if not message else np.full(m, 0.2 * MS)).astype(np.int64),
            "callee_ns": pa.array(inside[i][rows].astype(np.int64), mask=~arrived),
            "request_leg_ns": pa.array(request, mask=~arrived | message), "response_leg_ns": pa.array(response, mask=~arrived | message),
            "wire_ns": pa.array(wire, mask=np.full(m, message) | (lost & ~np.full(m, peer))), "queue_ns": pa.array(request, mask=np.full(m, not message) | ~arrived),
            "path_ns": np.zeros(m, np.int64) if asynchronous[i] else path, "completion_path_ns": path,
            "failure": failure, "origin": origin, "error_type": word(None), "http_status": pa.array([None] * m, pa.int16()),
            "attempt": np.zeros(m, np.int16), "wasted_ns": np.zeros(m, np.int64),
            "payload_bytes": pa.array(traffic.payload[f"{edge.caller}->{edge.callee}"](generator, n)[rows].astype(np.int64)) if f"{edge.caller}->{edge.callee}" in traffic.payload else pa.array([None] * m, pa.int64()),
        }  # fmt: skip
        for key, column in columns.items():
            hops[key].append(pa.array(column))
        if peer:
            continue
        rows = rows[arrived]
        m = len(rows)
        spent = own_of[i][rows].astype(np.int64)
        np.add.at(completion["self"], rows, spent)
        if not asynchronous[i]:
            np.add.at(budget["self"], rows, spent)
        errors = (
            np.isin(failure[arrived], [FAILURES.index("server_error"), FAILURES.index("consumer_error")])
            & origin[arrived]
        )
        mine = {
            "trace": trace[rows], "service": word(edge.callee)[:m], "operation": word(edge.operation)[:m],
            "instance": pa.array([f"{edge.callee}-{k}" for k in instance[edge.callee][rows]], pa.string()),
            "position": np.full(m, POSITIONS.index("only"), np.int8), "before": word(None)[:m], "after": word(None)[:m],
            "start_ns": (begin[i] + legs[i][0])[rows].astype(np.int64), "spans": np.ones(m, np.int32), "errors": errors.astype(np.int32),
            "own_ns": spent, "path_ns": np.zeros(m, np.int64) if asynchronous[i] else spent, "completion_path_ns": spent,
        }  # fmt: skip
        for key, column in mine.items():
            own[key].append(pa.array(column))
    duration = np.sum(list(budget.values()), axis=0)
    whole = np.sum(list(completion.values()), axis=0)
    traces = {
        "trace_id": pa.Array.from_buffers(pa.binary(16), n, [None, pa.py_buffer(ids)]),
        "service": ["locust"] * n, "operation": [name] * n, "start_ns": start, "duration_ns": duration,
        **{f"{c}_ns": budget[c] for c in CATEGORIES}, "completion_ns": whole,
        **{f"completion_{c}_ns": completion[c] for c in CATEGORIES},
        "spans": np.full(n, 2 * len(edges), np.int32), "complete": np.ones(n, bool),
        "failed": below_failed[0], "http_status": pa.array([200] * n, pa.int16()),
    }  # fmt: skip
    return Observations(
        _table(traces, TRACES_SCHEMA), _stack(hops, HOPS_SCHEMA), _stack(own, OWN_SCHEMA), DEFECTS_SCHEMA.empty_table()
    )


def _table(columns, schema):  # type: ignore[no-untyped-def]
    return pa.table([pa.array(columns[f.name]).cast(f.type) if not pa.types.is_dictionary(f.type) else pa.array(columns[f.name], pa.string()).dictionary_encode() for f in schema], schema=schema)  # fmt: skip


def _stack(columns, schema):  # type: ignore[no-untyped-def]
    arrays = []
    for f in schema:
        if pa.types.is_dictionary(f.type):
            arrays.append(
                pa.chunked_array([c.cast(pa.string()) for c in columns[f.name]], pa.string())
                .combine_chunks()
                .dictionary_encode()
            )
        else:
            arrays.append(pa.chunked_array([c.cast(f.type) for c in columns[f.name]], f.type))
    return pa.table(arrays, schema=schema)
