"""The query language, and the traces it finds."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from analysis.errors import BadQuery
from analysis.observe import observe
from analysis.search import search
from analysis.search_query import Term, parse
from analysis.span_table import SPAN_SCHEMA

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


def span(
    trace: int, span_id: int, parent: int = 0, *, service: str = "gateway", name: str = "GET /", kind: int = 2,
    start_ms: int = 0, ms: int = 10, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    start_ns = T0 + trace * SECOND + start_ms * 10**6
    row = dict.fromkeys(SPAN_SCHEMA.names) | {"links": [], "attributes": [], "status": 0}
    return row | {
        "trace_id": trace.to_bytes(16, "big"), "span_id": span_id, "parent_span_id": parent, "service": service,
        "name": name, "kind": kind, "start_ns": start_ns, "end_ns": start_ns + ms * 10**6,
    } | more  # fmt: skip


SPANS = pa.Table.from_pylist(
    [
        span(1, 1, name="POST /checkout", ms=2_000),
        span(1, 2, 1, kind=3, start_ms=5, ms=1_900, status=2, error_type="ReadTimeout", address="pay:80"),
        span(1, 3, 2, service="payment", name="charge", start_ms=6, ms=1_995, attributes=[("order.id", "12345")]),
        span(2, 1, name="GET /products", ms=20, http_status=503, attributes=[("n", "10"), ("user", "a b")]),
        span(3, 1, service="payment", name="charge", ms=50, status=2, attributes=[("n", "9"), ("order.id", "7")]),
        span(3, 2, 9, service="email", name="orphan", ms=1),
    ],
    SPAN_SCHEMA,
)


def time_ns_of(text: str) -> int | None:
    return T0 + int(text[1:]) * SECOND if text.startswith("t") else None


def found(query: str, **more: Any) -> list[int]:
    hits = search(SPANS, parse(query, time_ns_of), observations=observe(SPANS), **more)
    return [int.from_bytes(trace_id, "big") for trace_id in hits["trace_id"].to_pylist()]


@pytest.mark.parametrize(
    ("query", "traces"),
    [
        ("", [3, 2, 1]),
        ("service:payment", [3, 1]),
        ("service:payment duration>1s", [1]),
        ("service:gateway duration<1s", [2]),  # no gateway span of trace 1 is that short
        ("duration>=1995ms service=payment", [1]),
        ("order.id:12345", [1]),
        ("order.id:*", [3, 1]),
        ("n>9", [2]),  # as numbers, not as text
        ("n>=9 n!=10", [3]),
        ('user:"a b"', [2]),
        ("status:error", [3, 1]),
        ("status>=500", [2]),
        ("status:ok service:email", [3]),
        ("error:Read*", [1]),
        ("kind:client", [1]),
        ("address:pay:80", [1]),
        ("charge", [3, 1]),
        ("service!=gateway", [3, 1]),
        ("failed:late", [1]),  # the callee finished after its caller had given up
        ("failed:refused", []),
        ("failed:any service:email", []),
        ("time>t1", [3, 2]),
        ("trace.duration>1s", [1]),
        ("trace:000000000000000000000000000000", [3, 2, 1]),
        ("trace:00000000000000000000000000000002", [2]),
        ("service:nobody", []),
    ],
)
def test_queries(query: str, traces: list[int]) -> None:
    """Terms about spans hold together for one span; results come newest first."""
    assert found(query) == traces


def test_slowest_first_and_limit() -> None:
    """The slowest trace stands first; no more than asked for."""
    assert found("", order="slowest") == [1, 3, 2]
    assert found("", order="slowest", limit=1) == [1]


def test_hits_name_the_root() -> None:
    """A hit says where the trace began, how many spans it has, and how long the longest match took."""
    (hit,) = search(SPANS, parse("service:payment duration>1s", time_ns_of)).to_pylist()
    assert (hit["service"], hit["operation"], hit["spans"], hit["errors"]) == ("gateway", "POST /checkout", 3, 1)
    assert (hit["duration_ns"], hit["matched_ns"]) == (2_001 * 10**6, 1_995 * 10**6)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("service:", "service= has no value"),
        ("duration>1", "'1' is no duration"),
        ("time>noon", "'noon' is no time"),
        ("failed:badly", "expected failed: and any, refused"),
        ("kind:big", "expected one of internal"),
        ("status:fine", "expected error, ok"),
        (":x service:a", "cannot understand ':x' at column 1"),
        ('a:"open', "at column 1"),
    ],
)
def test_wrong_queries(query: str, complaint: str) -> None:
    """What cannot be understood is named, with what was expected."""
    with pytest.raises(BadQuery, match=complaint):
        parse(query, time_ns_of)


def test_quotes_and_escapes() -> None:
    """A value in quotes may hold blanks, quotes and operators."""
    assert parse(r'a.b:"x \"y\" >=" c!=d', time_ns_of) == (Term("a.b", "=", 'x "y" >='), Term("c", "!=", "d"))
