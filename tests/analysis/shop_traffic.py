"""Span tables of a synthetic shop: thousands of traces in a fraction of a second, with faults that tests choose.

    locust -> gateway -> inventory -> redis, postgresql
                      -> payment -> bank
                      ~> fulfillment -> postgresql        (~> is a message)
                                     ~> email

`POST /checkout` goes all the way, `GET /products` ends after inventory's cache. Crossings of a service come one
after another. Every time is gamma distributed around its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.span_table import KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER, KIND_SERVER, SPAN_SCHEMA, STATUS_ERROR

__all__ = ["BROWSE", "CHECKOUT", "MS", "T0", "Edge", "Fault", "Traffic", "by", "constant", "spans_of", "uniform"]

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
"""Milliseconds (or bytes) for so many traces."""

MS = 1_000_000
T0 = 1_790_000_000_000_000_000


@dataclass(frozen=True)
class Edge:
    """One hop, with the mean times of its legs and of the callee's own work. `parent`: the edge above, -1 none."""

    kind: str  # call, peer, message
    caller: str
    callee: str
    operation: str
    request_ms: float
    response_ms: float
    own_ms: float
    parent: int

    @property
    def hop(self) -> str:
        return f"{self.caller}->{self.callee}"


CHECKOUT = (
    Edge("call", "locust", "gateway", "POST /checkout", 1.0, 1.0, 4.0, -1),
    Edge("call", "gateway", "inventory", "POST /reserve", 1.0, 1.0, 3.0, 0),
    Edge("peer", "inventory", "redis", "GET", 0.8, 0.0, 0.0, 1),
    Edge("peer", "inventory", "postgresql", "SELECT", 3.0, 0.0, 0.0, 1),
    Edge("call", "gateway", "payment", "POST /charge", 1.0, 1.2, 3.0, 0),
    Edge("call", "payment", "bank", "POST /authorize", 1.5, 1.5, 8.0, 4),
    Edge("message", "gateway", "fulfillment", "orders.paid", 1.5, 0.0, 3.0, 0),
    Edge("peer", "fulfillment", "postgresql", "INSERT", 3.0, 0.0, 0.0, 6),
    Edge("message", "fulfillment", "email", "orders.shipped", 1.5, 0.0, 2.0, 6),
)
BROWSE = (
    Edge("call", "locust", "gateway", "GET /products", 1.0, 1.0, 4.0, -1),
    Edge("call", "gateway", "inventory", "GET /items", 1.0, 1.0, 3.0, 0),
    Edge("peer", "inventory", "redis", "GET", 0.8, 0.0, 0.0, 1),
)
SYSTEMS = {"redis": "redis", "postgresql": "postgresql", "message": "nats"}


@dataclass(frozen=True)
class Fault:
    """How a crossing fails for a share of the traces. `arrives`: the callee's span is there."""

    error_type: str | None
    rate: float = 1.0
    arrives: bool = False
    waits_ms: float = 1.0  # what the caller waits before it sees the error
    callee_fails: bool = False


@dataclass
class Traffic:
    """Traffic of one window, and what goes wrong in it. Hops and services are named as in CHECKOUT."""

    traces: int = 300
    start_s: float = 0.0
    seconds: float = 60.0
    seed: int = 1
    noise: float = 0.25  # standard deviation of every time, relative to its mean
    checkouts: float = 0.7  # their share; the rest browses
    request: Mapping[str, Draw] = field(default_factory=dict)  # added to the request leg, queue or peer time of a hop
    response: Mapping[str, Draw] = field(default_factory=dict)
    own: Mapping[str, Draw] = field(default_factory=dict)  # added to the own time of a service
    fails: Mapping[str, Fault] = field(default_factory=dict)
    payload: Mapping[str, Draw] = field(default_factory=dict)  # bytes
    without: tuple[str, ...] = ()  # hops that do not happen
    untraced: tuple[str, ...] = ()  # services whose spans are missing
    torn: tuple[str, ...] = ()  # services that begin traces of their own
    instances: Mapping[str, int] = field(default_factory=dict)
    own_of_instance: Mapping[tuple[str, int], float] = field(default_factory=dict)
    host_of: Mapping[str, str] = field(default_factory=dict)
    clock_ms: Mapping[str, float] = field(default_factory=dict)  # how far a service's clock is ahead
    kinds: bool = True


def constant(value: float) -> Draw:
    return lambda _, n: np.full(n, value)


def uniform(low: float, high: float) -> Draw:
    return lambda generator, n: generator.uniform(low, high, n)


def by(share: float, value: float) -> Draw:
    """`value` for a share of the traces, 0 for the others."""
    return lambda generator, n: np.where(generator.uniform(size=n) < share, value, 0.0)


def spans_of(*windows: Traffic) -> pa.Table:
    """Spans of all windows, in SPAN_SCHEMA."""
    parts = []
    for traffic in windows:
        generator = np.random.default_rng(traffic.seed)
        checkouts = round(traffic.traces * traffic.checkouts)
        for edges, n in ((CHECKOUT, checkouts), (BROWSE, traffic.traces - checkouts)):
            if n:
                parts += _Operation(edges, n, traffic, generator).tables()
    return pa.concat_tables(parts).unify_dictionaries()


class _Operation:
    """`n` traces of one operation. Times are arrays with one entry per trace, in ns."""

    def __init__(self, edges: tuple[Edge, ...], n: int, traffic: Traffic, generator: np.random.Generator) -> None:
        self.edges, self.n, self.traffic, self.generator = edges, n, traffic, generator
        self.ids = generator.integers(0, 256, (n, 16), dtype=np.uint8)
        self.start = np.sort(generator.uniform(traffic.start_s, traffic.start_s + traffic.seconds, n)) * 1e9
        self.request = [self._leg(e, e.request_ms, traffic.request) for e in edges]
        self.response = [self._leg(e, e.response_ms, traffic.response) for e in edges]
        self.instance = {
            e.callee: generator.integers(0, traffic.instances.get(e.callee, 1), n) for e in edges if e.kind != "peer"
        }
        self.own = [self._own(e) for e in edges]
        self.failed = [
            generator.uniform(size=n) < (traffic.fails[e.hop].rate if e.hop in traffic.fails else 0) for e in edges
        ]
        self.happens = self._happens()
        self.inside, self.whole = self._durations()
        self.span = generator.integers(1, 2**63, (2 * len(edges), n), dtype=np.uint64)

    def _draw(self, mean_ms: float) -> Floats:
        noise = self.traffic.noise
        return self.generator.gamma(1 / noise**2, mean_ms * noise**2, self.n) * MS if mean_ms else np.zeros(self.n)

    def _leg(self, edge: Edge, mean_ms: float, added: Mapping[str, Draw]) -> Floats:
        extra = added[edge.hop](self.generator, self.n) * MS if edge.hop in added else 0.0
        return np.maximum(0, self._draw(mean_ms) + extra)

    def _own(self, edge: Edge) -> Floats:
        own = self._draw(edge.own_ms)
        if edge.callee in self.traffic.own and edge.kind != "peer":
            own = own + self.traffic.own[edge.callee](self.generator, self.n) * MS
        for (service, number), extra_ms in self.traffic.own_of_instance.items():
            if service == edge.callee:
                own = own + np.where(self.instance[service] == number, extra_ms * MS, 0.0)
        return np.asarray(own)

    def _happens(self) -> list[NDArray[np.bool_]]:
        found: list[NDArray[np.bool_]] = []
        for edge in self.edges:
            happens = np.full(self.n, edge.hop not in self.traffic.without)
            if edge.parent >= 0:
                happens &= found[edge.parent] & ~(self.failed[edge.parent] & np.bool_(not self._arrives(edge.parent)))
                # A caller gives up at its first failed call: what would follow does not happen.
                for i, sibling in enumerate(self.edges[: len(found)]):
                    if sibling.parent == edge.parent and sibling.kind != "message":
                        happens &= ~(found[i] & self.failed[i])
                if self._callee_fails(edge.parent):
                    happens &= ~self.failed[edge.parent]
            found.append(happens)
        return found

    def _arrives(self, i: int) -> bool:
        fault = self.traffic.fails.get(self.edges[i].hop)
        return fault is None or fault.arrives

    def _callee_fails(self, i: int) -> bool:
        fault = self.traffic.fails.get(self.edges[i].hop)
        return fault is not None and fault.callee_fails

    def _children(self, i: int) -> list[int]:
        return [j for j, e in enumerate(self.edges) if e.parent == i]

    def _durations(self) -> tuple[list[Floats], list[Floats]]:
        inside = [np.zeros(self.n) for _ in self.edges]
        whole = [np.zeros(self.n) for _ in self.edges]
        for i in reversed(range(len(self.edges))):
            edge = self.edges[i]
            sends = 0.2 * MS
            waits = [
                np.where(self.happens[j], sends if self.edges[j].kind == "message" else whole[j], 0.0)
                for j in self._children(i)
            ]
            inside[i] = self.own[i] + sum(waits, np.zeros(self.n))
            whole[i] = self.request[i] + inside[i] + self.response[i]
            if edge.hop in self.traffic.fails:
                whole[i] = np.where(self.failed[i], self._wait_of_failed(i, whole[i]), whole[i])
        return inside, whole

    def _wait_of_failed(self, i: int, whole: Floats) -> Floats:
        fault = self.traffic.fails[self.edges[i].hop]
        return whole if fault.callee_fails else np.full(self.n, fault.waits_ms * MS)

    def tables(self) -> list[pa.Table]:
        begins = [self.start.copy() for _ in self.edges]
        parts = []
        symptom = [f.copy() for f in self.failed]
        for i in reversed(range(len(self.edges))):
            parent = self.edges[i].parent
            if parent >= 0 and self.edges[i].kind != "message":
                symptom[parent] = symptom[parent] | (symptom[i] & self.happens[i])
        for i in range(len(self.edges)):
            cursor = begins[i] + self.request[i] + self.own[i] / 2
            for j in self._children(i):
                begins[j] = cursor
                step = 0.2 * MS if self.edges[j].kind == "message" else self.whole[j]
                cursor = cursor + np.where(self.happens[j], step, 0.0)
            parts += self._spans_of_edge(i, begins[i], symptom)
        return parts

    def _spans_of_edge(self, i: int, begin: Floats, symptom: list[NDArray[np.bool_]]) -> list[pa.Table]:
        edge, traffic = self.edges[i], self.traffic
        message = edge.kind == "message"
        tables = []
        if edge.caller not in traffic.untraced:
            end = begin + (0.2 * MS if message else self.whole[i])
            error = symptom[i] & (not message)
            tables.append(
                self._table(
                    self.happens[i], edge.caller, edge.operation, KIND_PRODUCER if message else KIND_CLIENT, begin, end,
                    self.span[2 * i], self._parent_of_caller(i), error,
                    traffic.fails[edge.hop].error_type if edge.hop in traffic.fails and not message else None,
                    edge,
                )
            )  # fmt: skip
        arrived = self.happens[i] & ~(self.failed[i] & np.full(self.n, not self._arrives(i)))
        if edge.kind == "peer" or edge.callee in traffic.untraced or not arrived.any():
            return tables
        fault = traffic.fails.get(edge.hop)
        starts = begin + self.request[i] + (0.2 * MS if message else 0)
        below = np.zeros(self.n, dtype=bool)
        for j in self._children(i):
            below |= symptom[j] & self.happens[j] & (self.edges[j].kind != "message")
        error = below | (self.failed[i] & (fault is not None and fault.callee_fails))
        parent = np.zeros(self.n, np.uint64) if edge.callee in traffic.torn else self.span[2 * i]
        tables.append(
            self._table(
                arrived, edge.callee, edge.operation, KIND_CONSUMER if message else KIND_SERVER, starts,
                starts + self.inside[i], self.span[2 * i + 1], parent, error,
                "RuntimeError" if error.any() else None, None,
                torn=edge.callee in traffic.torn,
            )
        )  # fmt: skip
        return tables

    def _parent_of_caller(self, i: int) -> NDArray[np.uint64]:
        parent = self.edges[i].parent
        return self.span[2 * parent + 1] if parent >= 0 else np.zeros(self.n, np.uint64)

    def _table(
        self, chosen: NDArray[np.bool_], service: str, name: str, kind: int, start: Floats, end: Floats,
        span: NDArray[np.uint64], parent: NDArray[np.uint64], error: NDArray[np.bool_], error_type: str | None,
        edge: Edge | None, *, torn: bool = False,
    ) -> pa.Table:  # fmt: skip
        rows = np.flatnonzero(chosen)
        m = len(rows)
        shift = self.traffic.clock_ms.get(service, 0.0) * MS
        instance = self.instance.get(service, np.zeros(self.n, int))[rows]
        caller = self.edges[0].caller == service
        words = np.array([f"{service}-{k}" for k in range(self.traffic.instances.get(service, 1))])
        payload = self.traffic.payload.get(edge.hop) if edge else None
        peer = None
        if edge and edge.kind != "call":
            peer = SYSTEMS["message"] if edge.kind == "message" else SYSTEMS[edge.callee]
        ids = self.ids[rows] ^ np.uint8(0x5A if torn or self._in_torn(service) else 0)
        columns: dict[str, pa.Array] = {
            "trace_id": pa.Array.from_buffers(pa.binary(16), m, [None, pa.py_buffer(ids.tobytes())]),
            "span_id": pa.array(span[rows]),
            "parent_span_id": pa.array(parent[rows]),
            "service": _word(service, m),
            "name": _word(name, m),
            "kind": pa.array(np.full(m, kind, np.int8)) if self.traffic.kinds else pa.nulls(m, pa.int8()),
            "start_ns": pa.array(T0 + (start[rows] + shift).astype(np.int64)),
            "end_ns": pa.array(T0 + (end[rows] + shift).astype(np.int64)),
            "status": pa.array(np.where(error[rows], STATUS_ERROR, 0).astype(np.int8)),
            "error_type": pa.array(np.where(error[rows], error_type or "", ""), pa.string(), mask=~error[rows])
            if error_type
            else pa.nulls(m, pa.string()),
            "peer": _word(peer, m),
            "address": _word(f"{edge.callee}:80" if edge and edge.kind == "call" else None, m),
            "destination": _word(name if edge and edge.kind == "message" else None, m),
            "payload_bytes": pa.array(payload(self.generator, self.n)[rows].astype(np.int64))
            if payload
            else pa.nulls(m, pa.int64()),
            "host": _word(self.traffic.host_of.get(service, "h1"), m),
            "instance": pa.array(words[np.zeros(m, int) if caller else instance]),
        }
        return pa.table(
            [
                (columns[f.name] if f.name in columns else pa.nulls(m, f.type)).cast(f.type)
                if not pa.types.is_dictionary(f.type)
                else columns[f.name].cast(pa.string()).dictionary_encode()
                for f in SPAN_SCHEMA
            ],
            schema=SPAN_SCHEMA,
        )

    def _in_torn(self, service: str) -> bool:
        """Spans of a torn service, and of all below it, belong to its own trace."""
        above = {e.callee: e.caller for e in self.edges if e.kind != "peer"}
        while service in above:
            if service in self.traffic.torn:
                return True
            service = above[service]
        return False


def _word(value: str | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.string()) if value is None else pa.array(np.full(n, value))
