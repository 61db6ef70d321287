"""latency: every chunk arrives `latency` +/- `jitter` milliseconds after it was read, in order."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Hold, Pipe, Stub
from faults.proxy.toxic import MILLISECOND_NS, Toxic

__all__ = ["Latency"]


class Latency(Toxic):
    go_name = "LatencyToxic"
    attributes: ClassVar = {"latency": "int64", "jitter": "int64"}
    queue_chunks = 1024
    latency: int
    jitter: int

    def pipe(self, stub: Stub) -> Pipe:
        while (chunk := (yield RECEIVE)) is not None:
            now_ns = stub.clock_ns()
            sleep_ns = self._delay_ns(stub) - (now_ns - chunk.read_ns)
            if sleep_ns > 0:
                yield Hold(now_ns + sleep_ns, chunk)
            # A second latency behind this one adds to it. A chunk that had to queue here moves its time by its
            # shorter wait alone, as in the original.
            chunk.read_ns += sleep_ns
            yield chunk

    def _delay_ns(self, stub: Stub) -> int:
        delay_ms = self.latency
        if self.jitter > 0:
            delay_ms += stub.random.randrange(2 * self.jitter) - self.jitter
        return delay_ms * MILLISECOND_NS
