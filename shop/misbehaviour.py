"""Services that do wrong when a file tells them to: the faults that no proxy can inject.

The file is JSON, `{"payment": {"sleep_ms": 200}, "email": {"raise": true, "rate": 0.1}}`. It is read again when its
modification time changes; a service that it does not name behaves. Nothing of it shows in spans or logs but its
effect.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Behaviour", "LosesContext", "Misbehaviour"]

_logger = logging.getLogger(__name__)


class Behaviour(BaseModel):
    """What one service does wrong, and to which share of its work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float = Field(1.0, ge=0, le=1)
    burn_ms: float = Field(0, ge=0)
    sleep_ms: float = Field(0, ge=0)
    raises: bool = Field(default=False, alias="raise")
    return_early: bool = False
    drop_message: bool = False
    lose_context: bool = False


GOOD = Behaviour.model_validate({})


class Misbehaviour:
    """The current behaviour of one service; asking costs one `stat` of the file."""

    def __init__(self, service: str, file: Path | None) -> None:
        self._service = service
        self._file = file
        self._seen_mtime_ns = -1
        self._behaviour = GOOD

    def now(self) -> Behaviour:
        """The behaviour for this piece of work: the file's, with probability `rate`."""
        if self._file is None:
            return GOOD
        self._notice_changes(self._file)
        wrong = self._behaviour
        return wrong if wrong.rate == 1 or random.random() < wrong.rate else GOOD

    async def delay_or_raise(self) -> Behaviour:
        """Burn, sleep or raise as told; returns the rest of the behaviour for the caller to act on."""
        behaviour = self.now()
        if behaviour.burn_ms:
            until = time.thread_time_ns() + int(behaviour.burn_ms * 1e6)
            while time.thread_time_ns() < until:
                pass
        if behaviour.sleep_ms:
            await asyncio.sleep(behaviour.sleep_ms / 1000)
        if behaviour.raises:
            raise RuntimeError("internal state is inconsistent")
        return behaviour

    def _notice_changes(self, file: Path) -> None:
        try:
            mtime_ns = file.stat().st_mtime_ns
        except OSError:
            self._behaviour, self._seen_mtime_ns = GOOD, -1
            return
        if mtime_ns == self._seen_mtime_ns:
            return
        try:
            told = json.loads(file.read_text())
            behaviour = Behaviour.model_validate(told.get(self._service, {}))
        except (OSError, ValueError, AttributeError, ValidationError) as error:
            # A file caught half written is read again at its next change; until then the last order stands.
            _logger.warning("%s is not usable: %s", file.name, error)
        else:
            self._behaviour = behaviour
        self._seen_mtime_ns = mtime_ns


class LosesContext:
    """ASGI wrapper: a service that ignores the trace its caller is in (sits outside the instrumentation)."""

    def __init__(self, app: ASGIApp, misbehaviour: Misbehaviour) -> None:
        self._app = app
        self._misbehaviour = misbehaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._misbehaviour.now().lose_context:
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"traceparent"]
        await self._app(scope, receive, send)
