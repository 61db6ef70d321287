"""Sends the generator's spans as OTLP/HTTP protobuf, from a greenlet of Locust's own loop.

A load generator's tracing must not become its load. A span of the SDK costs about as much CPU, from start to export, as
Locust's whole request; here it is one tuple until a batch is encoded. Encoding blocks every user of the process for its
time, so batches are small.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import gevent
from gevent.event import Event
from geventhttpclient import HTTPClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.resources import Resource

__all__ = ["FinishedSpan", "SpanExport"]

_BATCH_SPANS = 64
_EVERY_S = 0.25
_AGAIN_AFTER_S = 0.05
_TIMEOUT_S = 5.0
_MOST_WAITING = 65_536
_SAMPLED = 1

_logger = logging.getLogger(__name__)


class FinishedSpan(NamedTuple):
    """A CLIENT span without a parent."""

    trace_id: int
    span_id: int
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, str | int]
    error: str | None  # one line about what went wrong


class SpanExport:
    """Keeps finished spans until the collector has answered for them; at most 65,536, then the oldest are dropped.

    The endpoint is OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or `/v1/traces` below OTEL_EXPORTER_OTLP_ENDPOINT, or the
    specification's default; OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME are respected.
    """

    def __init__(self, service_name: str) -> None:
        base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"
        self._url = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or f"{base.rstrip('/')}/v1/traces"
        self._client = HTTPClient.from_url(self._url, connection_timeout=_TIMEOUT_S, network_timeout=_TIMEOUT_S)
        self._headers = {"content-type": "application/x-protobuf", **_headers_from_environment()}
        resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or service_name})
        self._resource = [_pair(key, str(value)) for key, value in resource.attributes.items()]
        self._waiting: deque[FinishedSpan] = deque()
        self._dropped = 0
        self._refused = 0
        self._ending = Event()
        self._loop = gevent.spawn(self._run)

    def add(self, span: FinishedSpan) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(span)

    def close(self) -> None:
        """Send what is still here; gives up when the collector does not answer within 5 s."""
        self._ending.set()
        self._loop.join(timeout=_TIMEOUT_S)
        self._loop.kill()
        lost = self._dropped + self._refused + len(self._waiting)
        if lost:
            _logger.error("%d spans of the load generator could not be sent to %s", lost, self._url)
        self._client.close()

    def _run(self) -> None:
        while not self._ending.wait(_EVERY_S):
            self._send_batches()
        while self._waiting:
            self._send_batches()
            gevent.sleep(_AGAIN_AFTER_S)

    def _send_batches(self) -> None:
        while self._waiting and self._send_batch():
            gevent.sleep(0)  # let users of this process do something in between

    def _send_batch(self) -> bool:
        """Whether the collector answered: it has the batch then, or does not want it."""
        batch = [self._waiting[i] for i in range(min(_BATCH_SPANS, len(self._waiting)))]
        try:
            response = self._client.post(urlsplit(self._url).path, body=self._encoded(batch), headers=self._headers)
            status = response.status_code
            response.read()
            response.release()
        except Exception as error:  # noqa: BLE001 - the client's own errors share no base class with those of sockets
            _logger.debug("%s: %r", self._url, error)
            return False
        if status == 429 or status >= 500:
            return False
        if status >= 400:
            self._refused += len(batch)
        for _ in batch:
            self._waiting.popleft()
        return True

    def _encoded(self, batch: list[FinishedSpan]) -> bytes:
        request = ExportTraceServiceRequest()
        of_resource = request.resource_spans.add()
        of_resource.resource.attributes.extend(self._resource)
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = __package__ or "scenarios"
        of_scope.spans.extend(_message(span) for span in batch)
        return request.SerializeToString()


def _message(span: FinishedSpan) -> Span:
    return Span(
        trace_id=span.trace_id.to_bytes(16),
        span_id=span.span_id.to_bytes(8),
        flags=_SAMPLED,
        name=span.name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=[_pair(key, value) for key, value in span.attributes.items()],
        status=Status(code=Status.STATUS_CODE_ERROR, message=span.error) if span.error is not None else None,
    )


@lru_cache(maxsize=4096)  # almost every value of a span was in one before, and making the message is what costs
def _pair(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    )


def _headers_from_environment() -> dict[str, str]:
    """`key=value,key=value`, values percent-encoded, as the exporter specification has it."""
    pairs = (pair.partition("=") for pair in os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",") if "=" in pair)
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs}
