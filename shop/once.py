"""Doing the work behind an idempotency key once, however often and however concurrently it is asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["KeyUsedForAnotherRequest", "Once"]

Result = TypeVar("Result")


class KeyUsedForAnotherRequest(Exception):
    """The same key came with other contents; answering with the remembered result would be a lie."""


class Once(Generic[Result]):
    """Remembers the newest `capacity` results by key; work that failed is forgotten, so that it can be tried again."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._results: OrderedDict[str, tuple[object, asyncio.Task[Result]]] = OrderedDict()

    async def do(self, key: str, request: object, work: Callable[[], Awaitable[Result]]) -> Result:
        """The result for `key`; raises KeyUsedForAnotherRequest when `request` differs from the remembered one.

        The work goes on when the caller who asked first is gone: whoever retries must find its outcome.
        """
        remembered = self._results.get(key)
        if remembered is None:
            task = asyncio.ensure_future(_run(work))
            self._results[key] = (request, task)
            task.add_done_callback(lambda done: self._forget_failure(key, done))
            if len(self._results) > self._capacity:
                self._results.popitem(last=False)
        else:
            known_request, task = remembered
            if known_request != request:
                raise KeyUsedForAnotherRequest(key)
        return await asyncio.shield(task)

    def __len__(self) -> int:
        return len(self._results)

    def _forget_failure(self, key: str, task: asyncio.Task[Result]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._results.pop(key, None)


async def _run(work: Callable[[], Awaitable[Result]]) -> Result:
    return await work()
