"""One JSON object per log record on standard output, with the trace it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from opentelemetry import trace

__all__ = ["JsonLines", "log_to_stdout"]

_PLAIN_RECORD = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """`time`, `level`, `service`, `logger`, `message`, `trace_id`, `span_id`, then the `extra` of the caller."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        line.update((key, value) for key, value in record.__dict__.items() if key not in _PLAIN_RECORD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _is_not_repeated(record: logging.LogRecord) -> bool:
    """uvicorn repeats, outside the trace, an exception that the service has logged inside it."""
    return "Exception in ASGI application" not in record.getMessage()


def log_to_stdout(service: str) -> None:
    """Send every record, uvicorn's included, through one JSON handler; leaves handlers that export records alone."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if type(other) is not logging.StreamHandler]
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        if logger.handlers:  # uvicorn's own way to say that a log is wanted: --no-access-log leaves none
            logger.handlers.clear()
            logger.propagate = True
    logging.getLogger("uvicorn.error").addFilter(_is_not_repeated)
    logging.captureWarnings(capture=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per request says nothing that spans do not
