"""limit_data: the connection ends once `bytes` bytes have passed."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Chunk, Pipe, Stub
from faults.proxy.toxic import Toxic

__all__ = ["LimitData"]


class LimitData(Toxic):
    go_name = "LimitDataToxic"
    attributes: ClassVar = {"bytes": "int64"}
    bytes: int

    def pipe(self, stub: Stub) -> Pipe:
        while (chunk := (yield RECEIVE)) is not None:
            data = chunk.data[: max(self.bytes - stub.transmitted_bytes, 0)]
            stub.transmitted_bytes += len(data)
            if data:
                yield Chunk(data, chunk.read_ns)
            if stub.transmitted_bytes >= self.bytes:
                return
