"""slow_close: the end of the stream arrives `delay` milliseconds late."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Hold, Pipe, Stub
from faults.proxy.toxic import MILLISECOND_NS, Toxic

__all__ = ["SlowClose"]


class SlowClose(Toxic):
    go_name = "SlowCloseToxic"
    attributes: ClassVar = {"delay": "int64"}
    delay: int

    def pipe(self, stub: Stub) -> Pipe:
        while (chunk := (yield RECEIVE)) is not None:
            yield chunk
        yield Hold(stub.clock_ns() + self.delay * MILLISECOND_NS)
