"""Spans of the load generator: one CLIENT span per request, the root of its trace."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from locust.contrib.fasthttp import FastHttpSession, FastHttpUser, ResponseContextManager

from scenarios.export import FinishedSpan, SpanExport
from scenarios.failures import error_type

__all__ = ["TracedSession", "TracedUser", "start_tracing", "stop_tracing"]


class _Tracing:
    """Where finished spans go, if anywhere, and where their ids come from."""

    finish: Callable[[FinishedSpan], None] | None = None
    ids = random.Random()  # not the generator that a seed makes repeatable: ids must differ between runs


_export: SpanExport | None = None


def start_tracing(service_name: str, finish: Callable[[FinishedSpan], None] | None = None) -> None:
    """From now on requests have spans: sent to where OTEL_EXPORTER_OTLP_ENDPOINT says, or given to `finish`."""
    global _export
    _Tracing.ids = random.Random()  # anew: this process may be a fork
    if finish is None:
        _export = SpanExport(service_name)
        finish = _export.add
    _Tracing.finish = finish


def stop_tracing() -> None:
    """Send what is still here. Requests after this are made without spans."""
    global _export
    _Tracing.finish = None
    if _export is not None:
        _export.close()
        _export = None


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
        finish = _Tracing.finish
        if finish is None:
            return super().request(
                method, url, template, *args, headers=headers, catch_response=catch_response, **options
            )
        trace_id, span_id = _Tracing.ids.getrandbits(128) or 1, _Tracing.ids.getrandbits(64) or 1
        attributes = {**self._server, "http.request.method": method, "url.template": template, "url.path": url}
        if resend_count:
            attributes["http.request.resend_count"] = resend_count
        headers = {**(headers or {}), "traceparent": f"00-{trace_id:032x}-{span_id:016x}-01"}
        error = None
        start_ns, start_tick_ns = time.time_ns(), time.perf_counter_ns()
        try:
            response = super().request(method, url, template, *args, headers=headers, catch_response=True, **options)
            end_tick_ns = time.perf_counter_ns()
            error = _describe(attributes, response)
        except BaseException:
            end_tick_ns = time.perf_counter_ns()
            raise
        finally:
            # Also when the user is stopped in the middle of a request: what the services did must not lose its root.
            end_ns = start_ns + end_tick_ns - start_tick_ns
            finish(FinishedSpan(trace_id, span_id, f"{method} {template}", start_ns, end_ns, attributes, error))
        if not catch_response:
            self.request_event.fire(**response.request_meta)
        return response


def _describe(attributes: dict[str, str | int], response: ResponseContextManager) -> str | None:
    """Add what the answer says to the attributes; one line about what went wrong, if something did."""
    meta = response.request_meta
    status_code: int = response.status_code
    attributes["http.response.body.size"] = meta["response_length"]
    if status_code:
        attributes["http.response.status_code"] = status_code
    body = getattr(response.request, "payload", None)
    if body:
        attributes["http.request.body.size"] = len(body)
    if meta["exception"] is None:
        return None
    attributes["error.type"], detail = error_type(meta["exception"], status_code)
    return detail


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
