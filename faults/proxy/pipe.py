"""What toxics say to the link that runs them: the words of a small protocol without I/O.

A toxic is a generator, one per connection and direction. It yields what it waits for and gets the next chunk back:

    chunk = yield RECEIVE               wait for the next chunk; None at the end of the stream, and ever after
    yield Receive(until_ns)             the same, but the stream ends when nothing has come by then
    yield Hold(until_ns, chunk)         wait for a time; the chunk goes on at once if the toxic is changed meanwhile
    yield chunk                         pass it on, as soon as there is room
    return                              end the stream here; whatever still comes is not read any more

Times are nanoseconds of the stub's clock. The generator may be dropped at any `yield`: then a toxic was updated,
removed, or joined by another one behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random

__all__ = ["RECEIVE", "Chunk", "Hold", "Pipe", "Receive", "Step", "Stub"]


class Chunk:
    """Bytes that were read together, and when (moved on by toxics that delay relative to it)."""

    __slots__ = ("data", "read_ns")

    def __init__(self, data: bytes | memoryview, read_ns: int) -> None:
        self.data = data
        self.read_ns = read_ns


class Hold:
    """Wait until a time, with a chunk in hand or without."""

    __slots__ = ("chunk", "until_ns")

    def __init__(self, until_ns: int, chunk: Chunk | None = None) -> None:
        self.until_ns = until_ns
        self.chunk = chunk


class Receive:
    """Wait for a chunk; with `until_ns`, end the stream when none came by then."""

    __slots__ = ("until_ns",)

    def __init__(self, until_ns: int | None = None) -> None:
        self.until_ns = until_ns


RECEIVE = Receive()

Step = Chunk | Hold | Receive
Pipe = Generator[Step, Chunk | None, None]


class Stub:
    """What a toxic keeps about one connection and direction; outlives updates of the toxic."""

    __slots__ = ("clock_ns", "random", "transmitted_bytes")

    def __init__(self, clock_ns: Callable[[], int], random: Random) -> None:
        self.clock_ns = clock_ns
        self.random = random
        self.transmitted_bytes = 0
