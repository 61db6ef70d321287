"""noop: passes everything on. Also stands in for a toxic whose toxicity spared a connection."""

from __future__ import annotations

from faults.proxy.pipe import RECEIVE, Pipe, Stub
from faults.proxy.toxic import Toxic

__all__ = ["Noop"]


class Noop(Toxic):
    go_name = "NoopToxic"

    def pipe(self, _stub: Stub) -> Pipe:
        while (chunk := (yield RECEIVE)) is not None:
            yield chunk
