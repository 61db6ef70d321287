"""One edge-triggered epoll for every relayed socket, itself a single descriptor of the event loop.

Every socket is registered once, for reading and writing, and never again: pausing is not reading, so back-pressure
costs no system call. Deadlines come from a timerfd in the same epoll, because the timers of libuv have a resolution
of a millisecond, which would be most of the error of an injected latency.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from time import monotonic_ns

__all__ = ["Deadline", "Poller"]

READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
HUNG_UP = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
WRITABLE = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
STREAM = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

ROUNDS_PER_TURN = 16
"""How often one turn of the event loop asks for more, before the HTTP interface gets its turn."""

EVENTS_PER_ROUND = 16
EVENTS_OF_A_BUSY_ROUND = 4
DEADLINES_PER_ROUND = 4

LINGER_NS = 50_000
MOST_LINGERS_TO_SKIP = 256

CLOCK_MONOTONIC = 1
TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
TFD_TIMER_ABSTIME = 1


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Deadline:
    """A callback due at `at_ns` of the monotonic clock; `cancel()` forgets it."""

    __slots__ = ("_poller", "at_ns", "callback")

    def __init__(self, at_ns: int, callback: Callable[[], None], poller: Poller) -> None:
        self.at_ns = at_ns
        self.callback: Callable[[], None] | None = callback
        self._poller = poller

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._poller.note_cancelled()


class Poller:
    """Calls back when sockets are ready, when deadlines pass, and when work was put off to keep the turn short."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._deadlines: list[tuple[int, int, Deadline]] = []
        self._deadlines_made = 0
        self._cancelled = 0
        self._armed_ns = 0
        self._turning = False
        self._lingered_in_vain = 0
        self._lingers_to_skip = 0
        self._timer_fd: int = _libc.timerfd_create(CLOCK_MONOTONIC, TFD_FLAGS)
        if self._timer_fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._handlers[self._timer_fd] = self._on_timer
        self._epoll.register(self._timer_fd, select.EPOLLIN | select.EPOLLET)
        loop.add_reader(self._epoll.fileno(), self._turn)

    def close(self) -> None:
        """Stop calling back. Registered sockets are closed by whoever owns them."""
        self._loop.remove_reader(self._epoll.fileno())
        self._handlers.clear()
        self._deadlines.clear()
        self._epoll.close()
        os.close(self._timer_fd)

    def add_stream(self, fd: int, handler: Callable[[int], None]) -> None:
        """Report every change of readiness of a connected socket, once per change (edge-triggered)."""
        if fd not in self._handlers:
            self._epoll.register(fd, STREAM)
        self._handlers[fd] = handler

    def add_listener(self, fd: int, handler: Callable[[int], None]) -> None:
        """Report a listening socket as long as connections wait (level-triggered)."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        """Drop a descriptor that is about to be closed; closing takes it out of the kernel's set."""
        self._handlers.pop(fd, None)

    def mute(self, fd: int, *, muted: bool) -> None:
        """Stop or resume reporting a listening socket."""
        self._epoll.modify(fd, 0 if muted else select.EPOLLIN)

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back after everybody else who is ready now had a turn."""
        if not self._soon and not self._turning:
            self._loop.call_soon(self._turn)
        self._soon.append(callback)

    def at(self, at_ns: int, callback: Callable[[], None]) -> Deadline:
        """Call back at a time of the monotonic clock, never before it."""
        deadline = Deadline(at_ns, callback, self)
        self._deadlines_made += 1
        heappush(self._deadlines, (at_ns, self._deadlines_made, deadline))
        if not self._turning:
            self._arm_next()
        return deadline

    @property
    def deadline_count(self) -> int:
        """How many deadlines are queued, cancelled ones that were not dropped yet included."""
        return len(self._deadlines)

    def note_cancelled(self) -> None:
        """Count a cancelled deadline; drop them all once they are most of what is queued."""
        self._cancelled += 1
        if self._cancelled > 1000 and self._cancelled * 2 > len(self._deadlines):
            self._deadlines = [entry for entry in self._deadlines if entry[2].callback is not None]
            heapify(self._deadlines)
            self._cancelled = 0

    def _turn(self) -> None:
        self._turning = True
        try:
            self._rounds()
        finally:
            self._turning = False
        if self._soon:
            self._loop.call_soon(self._turn)
        self._arm_next()

    def _rounds(self) -> None:
        """Sockets and deadlines by small turns, so that what a deadline sets off is not kept waiting by the others."""
        poll, handlers, soon = self._epoll.poll, self._handlers, self._soon
        events = poll(0, EVENTS_PER_ROUND)
        for rounds_left in reversed(range(ROUNDS_PER_TURN)):
            for fd, event in events:
                handler = handlers.get(fd)
                if handler is not None:
                    try:
                        handler(event)
                    except Exception as error:  # noqa: BLE001 - the others' events come only once
                        self._report(error)
            met = self._meet_deadlines()
            for _ in range(len(soon)):
                self._call(soon.popleft())
            if not rounds_left:
                return  # without asking: events come only once
            if len(events) >= EVENTS_OF_A_BUSY_ROUND or met == DEADLINES_PER_ROUND or soon:
                events = poll(0, EVENTS_PER_ROUND)
            elif not (events := self._linger()):
                return

    def _linger(self) -> list[tuple[int, int]]:
        """Look out a moment longer: an answer is often nearer than going to sleep and being woken.

        Lingering in vain is not repeated soon, so that a server with little to do leaves the processor to others.
        """
        if self._lingers_to_skip > 0:
            self._lingers_to_skip -= 1
            return []
        until_ns = monotonic_ns() + LINGER_NS
        if not self._deadlines or self._deadlines[0][0] > until_ns:
            poll = self._epoll.poll
            while monotonic_ns() < until_ns:
                if events := poll(0, EVENTS_PER_ROUND):
                    self._lingered_in_vain = 0
                    return events
        self._lingered_in_vain += 1
        self._lingers_to_skip = min(1 << self._lingered_in_vain, MOST_LINGERS_TO_SKIP)
        return []

    def _meet_deadlines(self) -> int:
        """Call back for some deadlines that have passed; how many."""
        met = 0
        deadlines = self._deadlines
        while deadlines and met < DEADLINES_PER_ROUND and deadlines[0][0] <= monotonic_ns():
            deadline = heappop(deadlines)[2]
            callback, deadline.callback = deadline.callback, None
            if callback is None:
                self._cancelled -= 1
                continue
            self._call(callback)
            deadlines = self._deadlines
            met += 1
        return met

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - one connection's mistake must not stop the others
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "a relayed connection failed", "exception": error})

    def _on_timer(self, _event: int) -> None:
        self._armed_ns = 0  # the deadlines are met by this same round

    def _arm_next(self) -> None:
        """Have the timerfd wake this process for the first deadline, at once if it has passed."""
        if self._deadlines and self._deadlines[0][0] != self._armed_ns:
            at_ns = self._armed_ns = self._deadlines[0][0]
            spec = _Itimerspec(0, 0, *divmod(max(at_ns, 1), 1_000_000_000))
            if _libc.timerfd_settime(self._timer_fd, TFD_TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
                raise OSError(ctypes.get_errno(), "timerfd_settime")
