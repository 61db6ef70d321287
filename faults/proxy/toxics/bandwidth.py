"""bandwidth: data arrives at `rate` KB/s (1,000 bytes per second each), in pieces of at most 100 ms."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Chunk, Hold, Pipe, Stub
from faults.proxy.toxic import MILLISECOND_NS, Toxic

__all__ = ["Bandwidth"]

PIECE_MS = 100
FOREVER_NS = 1 << 62


class Bandwidth(Toxic):
    go_name = "BandwidthToxic"
    attributes: ClassVar = {"rate": "int64"}
    rate: int

    def pipe(self, stub: Stub) -> Pipe:
        free_ns = late_ns = 0
        while (chunk := (yield RECEIVE)) is not None:
            rest = memoryview(chunk.data)
            if self.rate <= 0:
                yield Hold(FOREVER_NS, chunk)
            # What a timer woke late is made up for, so that it does not lower the rate. An idle line saves nothing up.
            free_ns = max(free_ns, stub.clock_ns() - late_ns)
            while len(rest) > self.rate * PIECE_MS:
                free_ns += PIECE_MS * MILLISECOND_NS
                yield Hold(free_ns, Chunk(rest, chunk.read_ns))
                yield Chunk(rest[: self.rate * PIECE_MS], chunk.read_ns)
                rest = rest[self.rate * PIECE_MS :]
            free_ns += len(rest) * MILLISECOND_NS // self.rate
            last = Chunk(rest, chunk.read_ns)
            yield Hold(free_ns, last)
            late_ns = stub.clock_ns() - free_ns
            yield last
