"""reset_peer: `timeout` milliseconds after the first data, or the end, both sides are closed with RST."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Hold, Pipe, Stub
from faults.proxy.toxic import MILLISECOND_NS, Toxic

__all__ = ["ResetPeer"]


class ResetPeer(Toxic):
    go_name = "ResetToxic"
    attributes: ClassVar = {"timeout": "int64"}
    resets = True
    timeout: int

    def pipe(self, stub: Stub) -> Pipe:
        chunk = yield RECEIVE
        yield Hold(stub.clock_ns() + self.timeout * MILLISECOND_NS, chunk)
