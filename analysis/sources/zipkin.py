"""Zipkin v2 JSON. Times are microseconds; a client and the server it called may share one span id.

The server half of a shared id gets an id of its own, derived from the trace, the shared id and its service, with
the client half as its parent. Children of the shared id belong to the half of their service, else to the server half.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from analysis.sources.conventions import HOST, INSTANCE
from analysis.sources.jaeger import is_true
from analysis.sources.noticed import Warnings
from analysis.sources.raw_spans import SpanRows
from analysis.sources.text import span_id_of, texts, trace_id_of
from analysis.span_table import KIND_SERVER, STATUS_ERROR, STATUS_OK, STATUS_UNSET

__all__ = ["add_spans"]

Object = dict[str, Any]

_RESOURCE_TAGS = frozenset((*HOST, *INSTANCE, "process.pid")) - {"hostname", "ip"}
_KINDS = {"SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}


@dataclass(slots=True)
class _Half:
    """A span as Zipkin has it, with the ids it gets in the table."""

    span: Object
    trace_id: bytes
    shared_id: int
    parent_id: int
    service: str
    kind: int
    span_id: int

    @property
    def shared(self) -> bool:
        return self.span.get("shared") is True


def add_spans(spans: Iterable[Object], rows: SpanRows, warnings: Warnings) -> None:
    """All spans of a read: both halves of a shared id must be among them to be told apart."""
    halves = [_half(span, warnings) for span in spans]
    by_id: dict[tuple[bytes, int], list[_Half]] = defaultdict(list)
    for half in halves:
        by_id[half.trace_id, half.shared_id].append(half)
    for sharing in by_id.values():
        _tell_apart(sharing)
    for half in halves:
        _add(half, by_id, rows, warnings)


def _half(span: Object, warnings: Warnings) -> _Half:
    span_id = span_id_of(span.get("id"), warnings)
    return _Half(
        span=span,
        trace_id=trace_id_of(span.get("traceId"), warnings),
        shared_id=span_id,
        parent_id=span_id_of(span.get("parentId"), warnings),
        service=_string(_object(span, "localEndpoint").get("serviceName")),
        kind=_KINDS.get(_string(span.get("kind")).upper(), 0),
        span_id=span_id,
    )


def _tell_apart(sharing: list[_Half]) -> None:
    """Give the server halves ids of their own where a client half holds the shared one."""
    if len(sharing) == 1 or not any(not half.shared and half.kind != KIND_SERVER for half in sharing):
        return
    for half in sharing:
        if half.shared or half.kind == KIND_SERVER:
            of = f"{half.trace_id.hex()} {half.shared_id:016x} {half.service} server"
            half.span_id = int.from_bytes(hashlib.blake2b(of.encode(), digest_size=8).digest(), "big")
            half.parent_id = half.shared_id


def _add(half: _Half, by_id: dict[tuple[bytes, int], list[_Half]], rows: SpanRows, warnings: Warnings) -> None:
    span = half.span
    start_us = _micros(span.get("timestamp")) or _first_annotation_us(span)
    if not start_us:
        warnings.count("span without timestamp is left out", many="spans without timestamp are left out")
        return
    duration_us = _micros(span.get("duration"))
    start_ns = start_us * 1000
    if not duration_us:
        warnings.count(
            "span without duration: taken as ending where it starts",
            many="spans without duration: taken as ending where they start",
        )
    attributes = _attributes(span)
    rows.add(
        trace_id=half.trace_id,
        span_id=half.span_id,
        parent_span_id=_parent(half, by_id),
        name=_string(span.get("name")),
        kind=half.kind,
        start_ns=start_ns,
        end_ns=start_ns + duration_us * 1000,
        status=_status(dict(attributes)),
        process=rows.process(_process(span)),
        attributes=attributes,
    )


def _parent(half: _Half, by_id: dict[tuple[bytes, int], list[_Half]]) -> int:
    if half.span_id != half.shared_id:
        return half.parent_id
    sharing = by_id.get((half.trace_id, half.parent_id), ())
    of_service = [each for each in sharing if each.service == half.service]
    servers = [each for each in sharing if each.span_id != each.shared_id]
    # A client's own half first: it is the only one of the two that can have local children in the client's service.
    best = (of_service or servers or sharing)[:1]
    return best[0].span_id if best else half.parent_id


def _attributes(span: Object) -> list[tuple[str, str]]:
    tags = texts(_object(span, "tags"))
    named = {key for key, _ in tags}
    remote = _object(span, "remoteEndpoint")
    address = _string(remote.get("ipv4")) or _string(remote.get("ipv6"))
    port = remote.get("port")
    derived = (
        ("peer.service", _string(remote.get("serviceName"))),
        ("network.peer.address", address),
        ("network.peer.port", str(port) if isinstance(port, int) and address else ""),
    )
    return tags + [(key, value) for key, value in derived if value and key not in named]


def _process(span: Object) -> dict[str, str]:
    local = _object(span, "localEndpoint")
    # Zipkin has no resources: OpenTelemetry's exporters send their attributes as tags.
    of_resource = {key: value for key, value in texts(_object(span, "tags")) if key in _RESOURCE_TAGS}
    return of_resource | {
        "service.name": _string(local.get("serviceName")),
        "ip": _string(local.get("ipv4")) or _string(local.get("ipv6")),
    }


def _status(tags: dict[str, str]) -> int:
    # Zipkin: a span failed when it has an `error` tag at all, be it empty.
    if "error" in tags and (tags["error"] == "" or is_true(tags["error"])):
        return STATUS_ERROR
    code = tags.get("otel.status_code", "").upper()
    return {"ERROR": STATUS_ERROR, "OK": STATUS_OK}.get(code, STATUS_UNSET)


def _first_annotation_us(span: Object) -> int:
    annotations = span.get("annotations")
    times = (
        [_micros(each.get("timestamp")) for each in annotations if isinstance(each, dict)]
        if isinstance(annotations, list)
        else []
    )
    return min((time for time in times if time), default=0)


def _micros(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and abs(value) < 1e25 else 0


def _object(holder: Object, key: str) -> Object:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
