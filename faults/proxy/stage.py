"""One toxic at work on one direction of one connection: takes chunks in, waits as the toxic says, hands them on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from faults.proxy.pipe import RECEIVE, Chunk, Hold, Pipe, Step, Stub
from faults.proxy.poller import Deadline
from faults.proxy.toxic_chain import ActiveToxic
from faults.proxy.toxics.noop import Noop

__all__ = ["Output", "Stage", "Timers"]

NOOP = Noop()


class Timers(Protocol):
    def at(self, at_ns: int, callback: Callable[[], None]) -> Deadline:
        """Call back at a time of the monotonic clock."""


class Output(Protocol):
    """Where a stage hands its chunks: the next stage, or the connection behind the last one."""

    def has_room(self) -> bool:
        """Whether another chunk can be taken now."""

    def push(self, chunk: Chunk) -> None:
        """Take a chunk, even beyond the room there is."""

    def end(self) -> None:
        """No chunk follows."""


class Stage:
    """Drives the generator of one toxic. `wake` is called when time has come to `advance` again."""

    def __init__(
        self, active: ActiveToxic, stub: Stub, timers: Timers, output: Output, wake: Callable[[], None]
    ) -> None:
        self.active = active
        self.output = output
        self.ended = False
        self.closed = False
        self._stub = stub
        self._timers = timers
        self._wake = wake
        self._inbox: deque[Chunk] = deque()
        self._capacity = active.toxic.queue_chunks + 1
        self._deadline: Deadline | None = None
        self._pipe: Pipe
        self._step: Step = RECEIVE
        self._start()

    def _start(self) -> None:
        """Begin anew, rolling the dice whether this connection is spared."""
        hit = self._stub.random.random() < self.active.toxicity
        self._pipe = (self.active.toxic if hit else NOOP).pipe(self._stub)
        self._resume(None)

    # the output of the stage before

    def has_room(self) -> bool:
        return len(self._inbox) < self._capacity

    def push(self, chunk: Chunk) -> None:
        self._inbox.append(chunk)

    def end(self) -> None:
        self.ended = True

    # running

    def advance(self) -> bool:
        """Go on until it waits for input, time or room; whether anything moved."""
        moved = False
        while not self.closed:
            step = self._step
            if isinstance(step, Chunk):
                if not self.output.has_room():
                    break
                self.output.push(step)
                self._resume(None)
            elif isinstance(step, Hold):
                if step.until_ns > self._stub.clock_ns():
                    self._wake_at(step.until_ns)
                    break
                self._resume(None)
            elif self._inbox:
                self._resume(self._inbox.popleft())
            elif self.ended:
                self._resume(None)
            elif step.until_ns is None:
                break
            elif step.until_ns > self._stub.clock_ns():
                self._wake_at(step.until_ns)
                break
            else:
                self._close()
            moved = True
        return moved

    def interrupt(self) -> None:
        """Bring the toxic to a point where it can be dropped, handing on at once what it has in hand."""
        while not self.closed and isinstance(self._step, Chunk):
            self.output.push(self._step)
            self._resume(None)
        if not self.closed and isinstance(self._step, Hold) and self._step.chunk is not None:
            self.output.push(self._step.chunk)
            self._step = RECEIVE

    def restart(self) -> None:
        """Begin anew with the toxic as it is now."""
        self.interrupt()
        if not self.closed:
            self._pipe.close()
            self._start()

    def drain(self) -> None:
        """Hand on everything, ahead of being removed."""
        self.interrupt()
        if self.closed:
            return
        while self._inbox:
            self.output.push(self._inbox.popleft())
        if self.ended:
            self.output.end()
        self.discard()

    def discard(self) -> None:
        """Forget everything: the connection is gone."""
        self.closed = True
        self._inbox.clear()
        self._pipe.close()
        if self._deadline is not None:
            self._deadline.cancel()

    def close(self) -> None:
        """End the stream here, as if the toxic had."""
        if not self.closed:
            self._close()

    def _resume(self, chunk: Chunk | None) -> None:
        try:
            self._step = self._pipe.send(chunk)
        except StopIteration:
            self._close()

    def _close(self) -> None:
        self.discard()
        self.output.end()

    def _wake_at(self, at_ns: int) -> None:
        """Be woken at a time. An earlier deadline is kept: waking early only means to look again."""
        if self._deadline is not None:
            if self._deadline.callback is not None and self._deadline.at_ns <= at_ns:
                return
            self._deadline.cancel()
        self._deadline = self._timers.at(at_ns, self._wake)
