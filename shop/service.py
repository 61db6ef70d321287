"""The frame that every service hangs in: start-up, health, errors, misbehaviour."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shop.logs import log_to_stdout
from shop.misbehaviour import Behaviour, LosesContext, Misbehaviour
from shop.parts import Part, connect_in_background
from shop.settings import Settings

__all__ = ["Closeable", "Service"]

_logger = logging.getLogger(__name__)


class Closeable(Protocol):
    async def close(self) -> None: ...


class Service:
    """One service: its settings, the ASGI application to hang routes in, and what uvicorn serves (`asgi`)."""

    def __init__(self, name: str) -> None:
        log_to_stdout(name)
        self.name = name
        self.settings = Settings.from_environment()
        self.misbehaviour = Misbehaviour(name, self.settings.misbehave_file)
        self._parts: list[Part] = []
        self._closeables: list[Closeable] = []
        self.api = FastAPI(title=f"shop {name}", lifespan=self._lifespan, openapi_url=None)
        self.api.add_middleware(_LogsFailures)
        self.api.add_exception_handler(RequestValidationError, _answer_bad_request)
        self.api.get("/healthz")(self._health)
        self.asgi: ASGIApp = LosesContext(self.api, self.misbehaviour)

    def depends_on(self, *parts: Part) -> None:
        """Connect these at start-up; the service is healthy when all of them are connected."""
        self._parts += parts
        self._closeables += parts

    def answers_503_on(self, part: str, *errors: type[Exception]) -> None:
        """Answer 503, and log which part it was, when a route raises one of these."""

        async def answer(_: Request, error: Exception) -> Response:
            _logger.error("%s unavailable", part, extra={"peer": part, "reason": repr(error)})
            return JSONResponse({"detail": f"{part} unavailable"}, 503)

        for error in errors:
            self.api.add_exception_handler(error, answer)

    def closes(self, *closeables: Closeable) -> None:
        self._closeables += closeables

    @property
    def behaves(self) -> Callable[[], Awaitable[Behaviour]]:
        """A dependency for routes: misbehave as told, then say what is left to do wrong."""
        return self.misbehaviour.delay_or_raise

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        connecting = [connect_in_background(part) for part in self._parts]
        try:
            yield
        finally:
            for task in connecting:
                task.cancel()
            for closeable in self._closeables:
                await closeable.close()

    async def _health(self) -> Response:
        missing = [part.name for part in self._parts if not await part.is_connected()]
        return JSONResponse({"service": self.name, "missing": missing}, 503 if missing else 200)


class _LogsFailures:
    """Logs an unhandled exception while the trace it happened in is still the current one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            _logger.exception("request failed")
            raise


async def _answer_bad_request(_: Request, error: Exception) -> Response:
    """422 with reasons, without repeating the input: it may hold a card number."""
    assert isinstance(error, RequestValidationError)
    reasons = [f"{'.'.join(map(str, reason['loc']))}: {reason['msg']}" for reason in error.errors()]
    return JSONResponse({"detail": "; ".join(reasons)}, 422)
