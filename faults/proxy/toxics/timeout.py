"""timeout: swallows all data, and ends the connection after `timeout` quiet milliseconds (0: only when removed)."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Pipe, Receive, Stub
from faults.proxy.toxic import MILLISECOND_NS, Toxic

__all__ = ["Timeout"]


class Timeout(Toxic):
    go_name = "TimeoutToxic"
    attributes: ClassVar = {"timeout": "int64"}
    closes_when_removed = True
    timeout: int

    def pipe(self, stub: Stub) -> Pipe:
        wait = RECEIVE
        while True:
            if self.timeout > 0:
                wait = Receive(stub.clock_ns() + self.timeout * MILLISECOND_NS)
            if (yield wait) is None:
                return
