"""Once: the memory behind idempotency keys."""

from __future__ import annotations

import asyncio

import pytest

from shop.once import KeyUsedForAnotherRequest, Once


class Work:
    """Counts how often it is done; waits for `go` and may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.done = 0
        self.go = asyncio.Event()
        self.fails = fails

    async def __call__(self) -> int:
        await self.go.wait()
        self.done += 1
        if self.fails:
            raise ConnectionError
        return self.done


def test_concurrent_requests_share_one_result() -> None:
    """Those who ask while the work is going on wait for it."""

    async def scenario() -> None:
        once, work = Once[int](), Work()
        asked = [asyncio.create_task(once.do("key", 100, work)) for _ in range(3)]
        work.go.set()
        assert await asyncio.gather(*asked) == [1, 1, 1]
        assert await once.do("key", 100, work) == 1

    asyncio.run(scenario())


def test_work_outlives_whoever_asked_first() -> None:
    """A caller that goes away does not take the charge with it."""

    async def scenario() -> None:
        once, work = Once[int](), Work()
        first = asyncio.create_task(once.do("key", 100, work))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        work.go.set()
        assert await once.do("key", 100, work) == 1

    asyncio.run(scenario())


def test_failed_work_is_forgotten() -> None:
    """The same key may try again."""

    async def scenario() -> None:
        once = Once[int]()
        work = Work(fails=True)
        work.go.set()
        with pytest.raises(ConnectionError):
            await once.do("key", 100, work)
        work.fails = False
        assert await once.do("key", 100, work) == 2

    asyncio.run(scenario())


def test_another_request_under_the_same_key_is_refused() -> None:
    """Answering it with the remembered result would be a lie."""

    async def scenario() -> None:
        once, work = Once[int](), Work()
        work.go.set()
        await once.do("key", 100, work)
        with pytest.raises(KeyUsedForAnotherRequest):
            await once.do("key", 200, work)

    asyncio.run(scenario())


def test_only_the_newest_keys_are_remembered() -> None:
    """Memory is bounded."""

    async def scenario() -> None:
        once, work = Once[int](capacity=2), Work()
        work.go.set()
        assert [await once.do(key, 0, work) for key in "abcb"] == [1, 2, 3, 2]
        assert await once.do("a", 0, work) == 4

    asyncio.run(scenario())
