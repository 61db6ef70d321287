"""Log records of any form, collected into the log table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from analysis.sources.conventions import process_of
from analysis.sources.raw_spans import clamp_ns
from analysis.sources.text import NO_TRACE
from analysis.span_table import LOG_SCHEMA

__all__ = ["LogRows"]

_MAX_SEVERITY = 24


@dataclass(slots=True)
class LogRows:
    _times: list[int] = field(default_factory=list)
    _trace_ids: list[bytes | None] = field(default_factory=list)
    _span_ids: list[int | None] = field(default_factory=list)
    _services: list[str | None] = field(default_factory=list)
    _severities: list[int | None] = field(default_factory=list)
    _bodies: list[str | None] = field(default_factory=list)
    _attributes: list[Sequence[tuple[str, str]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._times)

    def process(self, attributes: Mapping[str, str]) -> str | None:
        """The service that these resource attributes name."""
        return process_of(attributes).service

    def add(
        self,
        *,
        time_ns: int,
        trace_id: bytes,
        span_id: int,
        service: str | None,
        severity: int,
        body: str | None,
        attributes: Sequence[tuple[str, str]],
    ) -> None:
        """Append one record; ids of zeros and severity 0 mean that there is none."""
        self._times.append(clamp_ns(time_ns))
        self._trace_ids.append(trace_id if trace_id != NO_TRACE else None)
        self._span_ids.append(span_id or None)
        self._services.append(service)
        self._severities.append(severity if 0 < severity <= _MAX_SEVERITY else None)
        self._bodies.append(body)
        self._attributes.append(attributes)

    def table(self) -> pa.Table:
        """Everything added so far, as `LOG_SCHEMA`."""
        columns = {
            "time_ns": pa.array(self._times, pa.int64()),
            "trace_id": pa.array(self._trace_ids, pa.binary(16)),
            "span_id": pa.array(self._span_ids, pa.uint64()),
            "service": pa.array(self._services, pa.string()).dictionary_encode(),
            "severity": pa.array(self._severities, pa.int8()),
            "body": pa.array(self._bodies, pa.string()),
            "attributes": pa.array(self._attributes, pa.map_(pa.string(), pa.string())),
        }
        return pa.table([columns[name] for name in LOG_SCHEMA.names], schema=LOG_SCHEMA)
