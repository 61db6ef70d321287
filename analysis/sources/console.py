"""The Python SDK's console exporter: pretty-printed objects, hex ids with 0x, ISO times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from analysis.sources.noticed import Warnings
from analysis.sources.otlp_values import EXCEPTION_EVENT, with_extras
from analysis.sources.raw_spans import SpanRows
from analysis.sources.text import span_id_of, texts, trace_id_of

__all__ = ["add_span", "iso_ns"]

Object = dict[str, Any]

_KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_STATUSES = {"OK": 1, "ERROR": 2}
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?")


def add_span(span: Object, rows: SpanRows, warnings: Warnings) -> None:
    """One exported span."""
    context, status = _object(span, "context"), _object(span, "status")
    events = [event for event in _list(span, "events") if event.get("name") == EXCEPTION_EVENT]
    exception = texts(_object(events[0], "attributes")) if events else []
    contexts = [_object(link, "context") for link in _list(span, "links")]
    rows.add(
        trace_id=trace_id_of(context.get("trace_id"), warnings),
        span_id=span_id_of(context.get("span_id"), warnings),
        parent_span_id=span_id_of(span.get("parent_id"), warnings),
        name=_string(span.get("name")),
        kind=_KINDS.get(_string(span.get("kind")).removeprefix("SpanKind."), 0),
        start_ns=iso_ns(span.get("start_time")),
        end_ns=iso_ns(span.get("end_time")),
        status=_STATUSES.get(_string(status.get("status_code")).removeprefix("StatusCode."), 0),
        process=rows.process(dict(texts(_object(_object(span, "resource"), "attributes")))),
        attributes=with_extras(texts(_object(span, "attributes")), exception, _string(status.get("description"))),
        links=[(trace_id_of(c.get("trace_id"), warnings), span_id_of(c.get("span_id"), warnings)) for c in contexts],
    )


def iso_ns(value: object) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time, exact to the last digit; without a zone it is UTC; 0 = not a time."""
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return 0
    whole, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(whole + (zone or "Z"))
    except ValueError:
        return 0
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + int((fraction or "").ljust(9, "0"))


def _object(holder: Object, key: str) -> Object:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _list(holder: Object, key: str) -> list[Object]:
    value = holder.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
