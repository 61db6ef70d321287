"""Which form a JSON value is, and the reader for it: by the names it uses, never by the file's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analysis.errors import UnreadableSource
from analysis.sources import console, jaeger, otlp_json, zipkin
from analysis.sources.log_rows import LogRows
from analysis.sources.noticed import Warnings
from analysis.sources.raw_spans import SpanRows

__all__ = ["JsonReader"]

Object = dict[str, Any]

_WRAPPINGS = ("data", "result", "results", "trace", "traces", "hits", "_source", "spans")
"""Where API answers put what was asked for: Jaeger (data; result since v3), Tempo (trace), Elasticsearch (hits)."""
_MAX_DEPTH = 8


@dataclass(slots=True)
class JsonReader:
    """Takes values of any known form; Zipkin's spans wait until all are there, since two of them may share an id."""

    warnings: Warnings
    spans: SpanRows = field(default_factory=SpanRows)
    logs: LogRows = field(default_factory=LogRows)
    _zipkin: list[Object] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _recognised: bool = False

    def add(self, value: object, depth: int = 0) -> None:
        """Read whatever of `value` is spans or logs."""
        if isinstance(value, list):
            for item in value:
                self.add(item, depth + 1)
            self._recognised |= not value
        elif isinstance(value, dict) and not self._add_object(value) and depth < _MAX_DEPTH:
            self._note_errors(value)
            for key in _WRAPPINGS:
                if isinstance(value.get(key), (dict, list)):
                    self.add(value[key], depth + 1)

    def finish(self) -> None:
        """Read what waited. Raises UnreadableSource when nothing of a known form was among the values."""
        zipkin.add_spans(self._zipkin, self.spans, self.warnings)
        if not self._recognised:
            if self._errors:
                raise UnreadableSource(self.warnings.location, f"holds an error instead of spans: {self._errors[0]}")
            raise UnreadableSource(
                self.warnings.location,
                "JSON of no known form; expected OTLP, Jaeger, Zipkin v2, Tempo or console spans",
            )

    def _add_object(self, value: Object) -> bool:
        recognised = True
        if any(key in value for key in otlp_json.SPAN_KEYS):
            otlp_json.add_spans(value, self.spans, self.warnings)
            otlp_json.add_logs(value, self.logs, self.warnings)
        elif any(key in value for key in otlp_json.LOG_KEYS):
            otlp_json.add_logs(value, self.logs, self.warnings)
        elif "resourceMetrics" in value or "resource_metrics" in value:
            self.warnings.count("metrics are left out")
        elif isinstance(value.get("spans"), list) and "traceID" in value:
            jaeger.add_trace(value, self.spans, self.warnings)
        elif "spanID" in value and "operationName" in value:
            jaeger.add_span(value, {}, self.spans, self.warnings)
        elif "binaryAnnotations" in value and "traceId" in value:
            raise UnreadableSource(self.warnings.location, "Zipkin v1 spans; expected Zipkin v2 (POST /api/v2/spans)")
        elif "traceId" in value and "id" in value:
            self._zipkin.append(value)
        elif isinstance(value.get("context"), dict) and "start_time" in value:
            console.add_span(value, self.spans, self.warnings)
        else:
            recognised = False
        self._recognised |= recognised
        return recognised

    def _note_errors(self, value: Object) -> None:
        for key in ("errors", "error", "message"):
            errors = value.get(key)
            for error in errors if isinstance(errors, list) else [errors]:
                text = error.get("msg", error.get("message")) if isinstance(error, dict) else error
                if isinstance(text, str) and text:
                    self._errors.append(text)
