"""Running trace stores: `jaeger+http://`, `zipkin+http://` and `tempo+http://` (or `+https`), asked over HTTP.

What to ask for stands in the URL: `jaeger+http://127.0.0.1:16686?service=gateway&operation=POST&lookback=30m&limit=500`.
None of the three has pages: a window of time that gives as many traces as were asked for is halved and asked again.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import httpx
import orjson
import stamina

from analysis.errors import UnreadableSource
from analysis.sources.json_forms import JsonReader
from analysis.sources.noticed import Warnings
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables

__all__ = ["Query", "is_live", "read_live"]

# A retry that helps is no news, one that does not becomes an error: neither belongs on the terminal.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_SCHEME = re.compile(r"(jaeger|zipkin|tempo)\+(https?)://", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PARAMETERS = {"service", "operation", "lookback", "limit"}
_OWN_SERVICES = {"jaeger", "jaeger-query", "jaeger-all-in-one"}
"""Jaeger traces its own queries: they are not what anybody asks about."""

_PAGE_TRACES = 200
_NARROWEST_S = 0.002
_TIMEOUT_S = 30.0
_ATTEMPTS = 4

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Query:
    service: str | None = None
    operation: str | None = None
    lookback_s: float = 3600.0
    limit: int = 5_000  # traces


def is_live(location: str) -> bool:
    """Whether a location is the URL of a running trace store."""
    return _SCHEME.match(location) is not None


def read_live(location: str, warnings: Warnings, progress: Progress | None = None) -> Tables:
    """Spans of the traces that the store at this URL has for the query in it. Raises UnreadableSource."""
    store, base, query = _parsed(location)
    end_s = time.time()
    reader = JsonReader(warnings)
    seen: set[str] = set()
    with httpx.Client(base_url=base, timeout=_TIMEOUT_S, follow_redirects=True) as client:
        api = _APIS[store](_Http(client, location), query)
        for trace_id, trace in _all_pages(api, end_s - query.lookback_s, end_s):
            if trace_id in seen:
                continue
            if len(seen) >= query.limit:
                warnings.count(f"has more than {query.limit} traces: the others are left out (raise limit=)")
                break
            seen.add(trace_id)
            reader.add(api.whole(trace_id, trace))
            if progress and len(seen) % _PAGE_TRACES == 0:
                progress(f"{location}: {len(seen)} traces, {len(reader.spans)} spans")
    if not seen:
        warnings.count("has no traces for this query")
        return Tables()
    reader.finish()
    return Tables(span_table(reader.spans.columns(), warnings), reader.logs.table())


def _parsed(location: str) -> tuple[str, str, Query]:
    scheme, _, rest = location.partition("+")
    parts = urlsplit(rest)
    given = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if unknown := set(given) - _PARAMETERS:
        raise UnreadableSource(location, f"unknown parameter {min(unknown)}; expected {', '.join(sorted(_PARAMETERS))}")
    lookback = _DURATION.fullmatch(given.get("lookback", "1h"))
    if lookback is None:
        raise UnreadableSource(location, f"lookback={given['lookback']}: expected a duration such as 30m, 2h or 1d")
    limit = given.get("limit", "5000")
    if not limit.isdecimal() or int(limit) == 0:
        raise UnreadableSource(location, f"limit={limit}: expected a number of traces")
    query = Query(given.get("service"), given.get("operation"), float(lookback[1]) * _SECONDS[lookback[2]], int(limit))
    return scheme.lower(), urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), query


@dataclass(frozen=True, slots=True)
class _Http:
    client: httpx.Client
    location: str

    def get(self, path: str, **parameters: str | int) -> object:
        """The JSON answer. What may pass (a refused connection, 429, 5xx) is tried again. Raises UnreadableSource."""
        try:
            for attempt in stamina.retry_context(on=_may_pass, attempts=_ATTEMPTS, wait_initial=0.1, wait_max=2.0):
                with attempt:
                    response = self.client.get(path, params=parameters, headers={"Accept": "application/json"})
                    response.raise_for_status()
            return orjson.loads(response.content)
        except httpx.HTTPStatusError as error:
            said = " ".join(error.response.text[:200].split())
            raise UnreadableSource(self.location, f"{path} answered {error.response.status_code}: {said}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreadableSource(self.location, f"{path} cannot be reached: {error}") from error
        except orjson.JSONDecodeError as error:
            raise UnreadableSource(self.location, f"{path} did not answer with JSON ({error.msg})") from error


def _may_pass(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


Found = list[tuple[str, object]]
"""Trace id, and the trace if the search gave it whole."""


@dataclass(frozen=True, slots=True)
class _Jaeger:
    http: _Http
    query: Query

    def services(self) -> Sequence[str | None]:
        if self.query.service:
            return [self.query.service]
        names = _list(self.http.get("/api/services"), "data")
        return sorted(name for name in names if isinstance(name, str) and name not in _OWN_SERVICES)

    def page(self, service: str | None, start_s: float, end_s: float) -> Found:
        parameters = {"operation": self.query.operation} if self.query.operation else {}
        answer = self.http.get(
            "/api/traces",
            service=service or "",
            start=int(start_s * 1e6),
            end=int(end_s * 1e6),
            limit=_PAGE_TRACES,
            **parameters,
        )
        return [(str(trace.get("traceID")), trace) for trace in _list(answer, "data") if isinstance(trace, dict)]

    def whole(self, trace_id: str, trace: object) -> object:
        return trace


@dataclass(frozen=True, slots=True)
class _Zipkin:
    http: _Http
    query: Query

    def services(self) -> Sequence[str | None]:
        return [self.query.service]

    def page(self, service: str | None, start_s: float, end_s: float) -> Found:
        wanted = {"serviceName": service, "spanName": self.query.operation}
        answer = self.http.get(
            "/api/v2/traces",
            endTs=int(end_s * 1e3) + 1,
            lookback=max(int((end_s - start_s) * 1e3), 1) + 1,
            limit=_PAGE_TRACES,
            **{key: value for key, value in wanted.items() if value},
        )
        traces = answer if isinstance(answer, list) else []
        return [(str(trace[0].get("traceId")), trace) for trace in traces if trace and isinstance(trace[0], dict)]

    def whole(self, trace_id: str, trace: object) -> object:
        return trace


@dataclass(frozen=True, slots=True)
class _Tempo:
    http: _Http
    query: Query

    def services(self) -> Sequence[str | None]:
        return [self.query.service]

    def page(self, service: str | None, start_s: float, end_s: float) -> Found:
        conditions = []
        if service:
            conditions.append(f"resource.service.name = {orjson.dumps(service).decode()}")
        if self.query.operation:
            conditions.append(f"name = {orjson.dumps(self.query.operation).decode()}")
        answer = self.http.get(
            "/api/search",
            q="{ " + " && ".join(conditions) + " }",
            start=int(start_s),
            end=int(end_s) + 1,
            limit=_PAGE_TRACES,
        )
        return [(str(trace.get("traceID")), None) for trace in _list(answer, "traces") if isinstance(trace, dict)]

    def whole(self, trace_id: str, trace: object) -> object:
        return self.http.get(f"/api/traces/{quote(trace_id, safe='')}")


_Api = _Jaeger | _Zipkin | _Tempo
_APIS: dict[str, type[_Jaeger] | type[_Zipkin] | type[_Tempo]] = {
    "jaeger": _Jaeger,
    "zipkin": _Zipkin,
    "tempo": _Tempo,
}


def _all_pages(api: _Api, start_s: float, end_s: float) -> Iterator[tuple[str, object]]:
    """Every trace of every service in the window, newest window first; a trace may come more than once."""
    for service in api.services():
        windows = [(start_s, end_s)]
        while windows:
            begin, end = windows.pop()
            found = api.page(service, begin, end)
            yield from found
            if len(found) >= _PAGE_TRACES and end - begin > _NARROWEST_S:
                middle = (begin + end) / 2
                windows += [(begin, middle), (middle, end)]


def _list(answer: object, key: str) -> list[object]:
    items = answer.get(key) if isinstance(answer, dict) else None
    return items if isinstance(items, list) else []
