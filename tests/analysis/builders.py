"""Span tables for tests, written as a table: `span("B", parent="A", start_ms=10, ms=50)`.

Names stand for ids: a label gives the same span id everywhere, and a trace name the same trace id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from analysis.span_table import SPAN_SCHEMA, STATUS_ERROR

__all__ = ["EPOCH_NS", "Span", "span", "span_id", "table", "trace_id"]

EPOCH_NS = 1_700_000_000_000_000_000
"""What `start_ms` counts from."""

KINDS = {None: None, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}


def span_id(label: str) -> int:
    """The span id that a label stands for; 0 for the empty label."""
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "big") if label else 0


def trace_id(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Span:
    """One row of the span table, with labels for ids; `links` are labels, or (trace, label) for another trace."""

    label: str
    parent: str
    trace: str
    service: str | None
    name: str | None
    kind: int | None
    start_ns: int
    end_ns: int
    status: int | None = None
    error_type: str | None = None
    http_status: int | None = None
    peer: str | None = None
    address: str | None = None
    destination: str | None = None
    payload_bytes: int | None = None
    host: str | None = None
    instance: str | None = None
    links: Sequence[str | tuple[str, str]] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        pairs = [(self.trace, link) if isinstance(link, str) else link for link in self.links]
        return {
            **{name: getattr(self, name) for name in SPAN_SCHEMA.names if hasattr(self, name)},
            "trace_id": trace_id(self.trace),
            "span_id": span_id(self.label),
            "parent_span_id": span_id(self.parent),
            "links": [{"trace_id": trace_id(trace), "span_id": span_id(label)} for trace, label in pairs],
            "attributes": list(self.attributes.items()),
        }


def span(
    label: str,
    *,
    start_ms: float = 0,
    ms: float = 1,
    parent: str = "",
    trace: str = "T",
    service: str | None = "a",
    name: str | None = "",
    kind: str | None = None,
    error: bool = False,
    error_type: str | None = None,
    http_status: int | None = None,
    peer: str | None = None,
    address: str | None = None,
    destination: str | None = None,
    payload_bytes: int | None = None,
    host: str | None = "h",
    instance: str | None = None,
    links: Sequence[str | tuple[str, str]] = (),
    attributes: Mapping[str, str] | None = None,
) -> Span:
    """A span named after its label unless `name` says otherwise; an `error_type` makes it an error."""
    start_ns = EPOCH_NS + round(start_ms * 1e6)
    return Span(
        label=label, parent=parent, trace=trace, service=service, name=label if name == "" else name, kind=KINDS[kind],
        start_ns=start_ns, end_ns=start_ns + round(ms * 1e6), status=STATUS_ERROR if error or error_type else None,
        error_type=error_type, http_status=http_status, peer=peer, address=address, destination=destination,
        payload_bytes=payload_bytes, host=host, instance=instance, links=links, attributes=attributes or {},
    )  # fmt: skip


def table(*spans: Span) -> pa.Table:
    """The span table of these rows, in this order."""
    return _table(span.row() for span in spans)


def _table(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    listed = list(rows)
    columns = [_column([row[item.name] for row in listed], item.type) for item in SPAN_SCHEMA]
    return pa.table(columns, schema=SPAN_SCHEMA)


def _column(values: list[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode().cast(kind)
    return pa.array(values, kind)
