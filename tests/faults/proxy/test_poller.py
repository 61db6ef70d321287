"""Deadlines: never early, in order, cancelled ones forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic_ns
from typing import Any

import pytest
import uvloop

from faults.proxy.poller import Poller

MS = 1_000_000


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run_it(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main)

    return run_it


def test_deadlines_are_met_in_order_and_never_early(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        poller = Poller(asyncio.get_running_loop())
        began_ns = monotonic_ns()
        met: list[tuple[int, int]] = []
        done = asyncio.Event()

        def meet(delay_ms: int) -> Callable[[], None]:
            def callback() -> None:
                met.append((delay_ms, monotonic_ns() - began_ns))
                if len(met) == 4:
                    done.set()

            return callback

        for delay_ms in (30, 10, 20, 0):
            poller.at(began_ns + delay_ms * MS, meet(delay_ms))
        await asyncio.wait_for(done.wait(), 10)
        poller.close()
        assert [delay_ms for delay_ms, _ in met] == [0, 10, 20, 30]
        assert all(at_ns >= delay_ms * MS for delay_ms, at_ns in met)

    run(main())


def test_a_cancelled_deadline_is_not_met(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        poller = Poller(asyncio.get_running_loop())
        met: list[str] = []
        done = asyncio.Event()
        poller.at(monotonic_ns() + 5 * MS, lambda: met.append("cancelled")).cancel()
        poller.at(monotonic_ns() + 10 * MS, done.set)
        await asyncio.wait_for(done.wait(), 10)
        poller.close()
        assert met == []

    run(main())


def test_a_deadline_set_by_a_callback_is_met_too(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        poller = Poller(asyncio.get_running_loop())
        done = asyncio.Event()

        def again() -> None:
            poller.at(monotonic_ns() + MS, done.set)

        poller.at(monotonic_ns() + MS, again)
        await asyncio.wait_for(done.wait(), 10)
        poller.close()

    run(main())


def test_cancelled_deadlines_do_not_pile_up(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        poller = Poller(asyncio.get_running_loop())
        for _ in range(20_000):
            poller.at(monotonic_ns() + 3_600_000 * MS, lambda: None).cancel()
        assert poller.deadline_count < 3_000
        poller.close()

    run(main())


def test_soon_comes_after_everybody_who_is_ready_now(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        poller = Poller(asyncio.get_running_loop())
        order: list[str] = []
        done = asyncio.Event()

        def first() -> None:
            order.append("first")
            poller.soon(again)

        def again() -> None:
            order.append("again")
            done.set()

        poller.soon(first)
        poller.soon(lambda: order.append("second"))
        await asyncio.wait_for(done.wait(), 10)
        poller.close()
        assert order == ["first", "second", "again"]

    run(main())
