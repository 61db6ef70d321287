"""Spans of the load generator: one CLIENT span per request, the root of its trace.

Locust replaces threads and sockets with gevent's when it is imported, so the SDK's batch worker is a greenlet and its
HTTP exporter waits without blocking. Encoding a batch does block every user of the process for its time; that is why
batches are small. gRPC's exporter has threads of its own that gevent does not know, and is not used.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from locust.contrib.fasthttp import FastHttpSession, FastHttpUser, ResponseContextManager
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NoOpTracerProvider, Span, SpanKind, StatusCode, Tracer

from scenarios.failures import error_type

__all__ = ["TracedSession", "TracedUser", "start_tracing", "stop_tracing"]

_BATCH_SPANS = 64
_EVERY_MS = 250
_EXPORT_TIMEOUT_MS = 5_000

_NO_PARENT = Context()

_provider: TracerProvider | None = None
_tracer: Tracer = NoOpTracerProvider().get_tracer("scenarios")


def start_tracing(service_name: str, exporter: SpanExporter | None = None) -> None:
    """Send spans to where OTEL_EXPORTER_OTLP_ENDPOINT says (OTLP/HTTP), or to `exporter`.

    OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME are respected; `service_name` is what stands for the latter.
    """
    global _provider, _tracer
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or service_name})
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _provider.add_span_processor(
        BatchSpanProcessor(
            exporter or OTLPSpanExporter(timeout=_EXPORT_TIMEOUT_MS / 1000),
            max_queue_size=65_536,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_BATCH_SPANS,
        )
    )
    _tracer = _provider.get_tracer("scenarios")


def stop_tracing() -> None:
    """Send what is still here. Requests after this are made without spans."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider, _tracer = None, NoOpTracerProvider().get_tracer("scenarios")


class TracedSession(FastHttpSession):  # type: ignore[misc]
    """Locust's session, each request of which starts a trace.

    A span covers what Locust calls the response time, up to the last byte of the body. `name` is the path's template.
    """

    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url, **options)
        parts = urlsplit(base_url)
        self._server: dict[str, str | int] = {
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        }

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        *args: Any,
        headers: dict[str, str] | None = None,
        catch_response: bool = False,
        resend_count: int = 0,
        **options: Any,
    ) -> ResponseContextManager:
        """As FastHttpSession.request; `resend_count` says how often this very request was made before."""
        template = name or self.request_name or urlsplit(url).path
        span = _tracer.start_span(f"{method} {template}", _NO_PARENT, SpanKind.CLIENT)
        if not span.is_recording():
            return super().request(
                method, url, template, *args, headers=headers, catch_response=catch_response, **options
            )
        context = span.get_span_context()
        traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        span.set_attributes(self._server)
        span.set_attributes({"http.request.method": method, "url.template": template, "url.path": url})
        if resend_count:
            span.set_attribute("http.request.resend_count", resend_count)
        try:
            response = super().request(
                method, url, template, *args, headers={**(headers or {}), "traceparent": traceparent},
                catch_response=True, **options,
            )  # fmt: skip
            _describe(span, response)
        finally:
            # Also when the user is stopped in the middle of a request: what the services did must not lose its root.
            span.end()
        if not catch_response:
            self.request_event.fire(**response.request_meta)
        return response


def _describe(span: Span, response: ResponseContextManager) -> None:
    meta = response.request_meta
    attributes: dict[str, str | int] = {"http.response.body.size": meta["response_length"]}
    if response.status_code:
        attributes["http.response.status_code"] = response.status_code
    body = getattr(response.request, "payload", None)
    if body:
        attributes["http.request.body.size"] = len(body)
    if meta["exception"] is not None:
        error, detail = error_type(meta["exception"], response.status_code)
        attributes["error.type"] = error
        span.set_status(StatusCode.ERROR, detail)
    span.set_attributes(attributes)


class TracedUser(FastHttpUser):  # type: ignore[misc]
    """A user whose `client` is a TracedSession."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.client = TracedSession(
            self.host,
            request_event=environment.events.request,
            user=self,
            network_timeout=self.network_timeout,
            connection_timeout=self.connection_timeout,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            insecure=self.insecure,
            concurrency=self.concurrency,
            client_pool=self.client_pool,
            ssl_context_factory=self.ssl_context_factory,
            headers=self.default_headers,
        )
