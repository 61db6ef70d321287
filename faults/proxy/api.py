"""The HTTP interface of Toxiproxy 2.12: routes, status codes, content types and bodies."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import unquote_to_bytes

from faults.proxy import go_json, metrics
from faults.proxy.collection import Collection
from faults.proxy.errors import TOXIC_NOT_FOUND, AddressError, ApiError
from faults.proxy.metrics import Traffic
from faults.proxy.proxy import Proxy
from faults.proxy.requests import ProxyRequest, read_population, read_proxy, read_toxic, require_names, update_toxic
from faults.proxy.toxic_chain import ActiveToxic

__all__ = ["Api", "Request", "Response"]

VERSION = "2.12.0"
JSON = "application/json"
PROXY = "/proxies/(?P<proxy>[^/]+)"
ANY_METHOD = "*"
LARGE_BODY_BYTES = 1 << 16
PLAIN_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    user_agent: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Parameters = ParamSpec("Parameters")
Parsed = TypeVar("Parsed")
Handler = Callable[[Request, dict[str, str]], Awaitable[Response]]


class Api:
    """Answers requests. Changes are made one after the other, in the order in which they came."""

    def __init__(self, proxies: Collection, traffic: Traffic) -> None:
        self._proxies = proxies
        self._traffic = traffic
        self._lock = asyncio.Lock()
        routes: dict[str, dict[str, Handler]] = {
            "/reset": {"POST": self._reset},
            "/proxies": {"GET": self._list_proxies, "POST": self._create_proxy},
            "/populate": {"POST": self._populate},
            PROXY: {
                "GET": self._show_proxy,
                "POST": self._update_proxy,
                "PATCH": self._update_proxy,
                "DELETE": self._delete_proxy,
            },
            f"{PROXY}/toxics": {"GET": self._list_toxics, "POST": self._create_toxic},
            f"{PROXY}/toxics/(?P<toxic>[^/]+)": {
                "GET": self._show_toxic,
                "POST": self._update_toxic,
                "PATCH": self._update_toxic,
                "DELETE": self._delete_toxic,
            },
            "/version": {"GET": self._version},
            "/metrics": {ANY_METHOD: self._metrics},
        }
        self._routes = [(re.compile(pattern), handlers) for pattern, handlers in routes.items()]

    async def answer(self, request: Request) -> Response:
        """The response to one request; errors of every kind become responses."""
        encoded_path, question_mark, query = request.target.partition("?")
        path = unquote_to_bytes(encoded_path).decode("utf-8", "surrogateescape")
        clean = _clean_path(path)
        if clean != path:
            return Response(301, headers={"Location": clean + question_mark + query})
        for pattern, handlers in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            handler = handlers.get(request.method) or handlers.get(ANY_METHOD)
            if handler is None:
                return Response(405)
            if request.user_agent.startswith("Mozilla/"):
                return _plain_error("User agent not allowed", 403)
            return await self._handle(handler, request, match.groupdict())
        return _plain_error("404 page not found", 404)

    async def _handle(self, handler: Handler, request: Request, names: dict[str, str]) -> Response:
        try:
            async with self._lock:
                return await handler(request, names)
        except ApiError as error:
            return _api_error(error)
        except AddressError as error:
            return _api_error(ApiError(str(error), 500))

    # proxies

    async def _list_proxies(self, _request: Request, _names: dict[str, str]) -> Response:
        return _json({proxy.name: _proxy_body(proxy) for proxy in self._proxies.all()})

    async def _create_proxy(self, request: Request, _names: dict[str, str]) -> Response:
        wanted = await _parse(read_proxy, request.body, ProxyRequest())
        require_names(wanted)
        return _json(_proxy_body(await self._proxies.add(wanted)), 201)

    async def _show_proxy(self, _request: Request, names: dict[str, str]) -> Response:
        return _json(_proxy_body(self._proxies.get(names["proxy"])))

    async def _update_proxy(self, request: Request, names: dict[str, str]) -> Response:
        proxy = self._proxies.get(names["proxy"])
        now = ProxyRequest(listen=proxy.listen, upstream=proxy.upstream, enabled=proxy.enabled)
        wanted = await _parse(read_proxy, request.body, now)
        await proxy.update(wanted.listen, wanted.upstream, enabled=wanted.enabled)
        return _json(_proxy_body(proxy))

    async def _delete_proxy(self, _request: Request, names: dict[str, str]) -> Response:
        self._proxies.remove(names["proxy"])
        return Response(204)

    async def _populate(self, request: Request, _names: dict[str, str]) -> Response:
        proxies: list[Proxy] = []
        try:
            for wanted in await _parse(read_population, request.body):
                proxies.append(await self._proxies.add_or_replace(wanted))  # noqa: PERF401 - kept when a later one fails
        except (ApiError, AddressError) as error:
            status = error.status if isinstance(error, ApiError) else 500
            body: dict[str, Any] = {"error": str(error), "status": status}
        else:
            status, body = 201, {}
        return _json(body | {"proxies": [_proxy_body(proxy) for proxy in proxies] or None}, status)

    async def _reset(self, _request: Request, _names: dict[str, str]) -> Response:
        await self._proxies.reset()
        return Response(204)

    # toxics

    async def _list_toxics(self, _request: Request, names: dict[str, str]) -> Response:
        return _json([_toxic_body(active) for active in self._proxies.get(names["proxy"]).toxics.all()])

    async def _create_toxic(self, request: Request, names: dict[str, str]) -> Response:
        toxics = self._proxies.get(names["proxy"]).toxics
        active = await _parse(read_toxic, request.body, lambda name: toxics.find(name) is not None)
        toxics.add(active)
        return _json(_toxic_body(active))

    async def _show_toxic(self, _request: Request, names: dict[str, str]) -> Response:
        return _json(_toxic_body(self._toxic(names)[1]))

    async def _update_toxic(self, request: Request, names: dict[str, str]) -> Response:
        proxy, active = self._toxic(names)
        await _parse(lambda body: update_toxic(active, body), request.body)
        proxy.toxics.updated(active)
        return _json(_toxic_body(active))

    async def _delete_toxic(self, _request: Request, names: dict[str, str]) -> Response:
        proxy, active = self._toxic(names)
        proxy.toxics.remove(active)
        return Response(204)

    def _toxic(self, names: dict[str, str]) -> tuple[Proxy, ActiveToxic]:
        proxy = self._proxies.get(names["proxy"])
        active = proxy.toxics.find(names["toxic"])
        if active is None:
            raise ApiError(*TOXIC_NOT_FOUND)
        return proxy, active

    # the server

    async def _version(self, _request: Request, _names: dict[str, str]) -> Response:
        body = f'{{"version": "{VERSION}"}}\n'.encode()
        return Response(200, body, {"Content-Type": "application/json;charset=utf-8"})

    async def _metrics(self, _request: Request, _names: dict[str, str]) -> Response:
        return Response(200, self._traffic.render().encode(), {"Content-Type": metrics.CONTENT_TYPE})


async def _parse(
    read: Callable[Concatenate[bytes, Parameters], Parsed],
    body: bytes,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Parsed:
    """Read a body: a large one in a thread, so that connections go on meanwhile."""
    if len(body) <= LARGE_BODY_BYTES:
        return read(body, *args, **kwargs)
    return await asyncio.to_thread(read, body, *args, **kwargs)


def _clean_path(path: str) -> str:
    """The path that the original's router redirects to: no empty, `.` or `..` parts."""
    if not path.startswith("/"):
        path = "/" + path
    clean = "/" + posixpath.normpath(path).lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _proxy_body(proxy: Proxy) -> dict[str, Any]:
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "Logger": {},
        "toxics": [_toxic_body(active) for active in proxy.toxics.all()],
    }


def _toxic_body(active: ActiveToxic) -> dict[str, Any]:
    return {
        "attributes": {name: getattr(active.toxic, name) for name in active.toxic.attributes},
        "name": active.name,
        "type": active.type,
        "stream": active.stream,
        "toxicity": active.toxicity,
    }


def _json(body: Any, status: int = 200) -> Response:
    return Response(status, go_json.write(body).encode("utf-8", "replace"), {"Content-Type": JSON})


def _api_error(error: ApiError) -> Response:
    return _plain_error(go_json.write({"error": error.message, "status": error.status}), error.status)


def _plain_error(text: str, status: int) -> Response:
    headers = {"Content-Type": PLAIN_TEXT, "X-Content-Type-Options": "nosniff"}
    return Response(status, text.encode("utf-8", "replace") + b"\n", headers)
