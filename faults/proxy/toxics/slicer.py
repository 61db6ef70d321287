"""slicer: cuts data into pieces of `average_size` +/- `size_variation` bytes, `delay` microseconds apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from faults.proxy.pipe import RECEIVE, Chunk, Hold, Pipe, Stub
from faults.proxy.toxic import MICROSECOND_NS, Toxic

__all__ = ["Slicer"]


class Slicer(Toxic):
    go_name = "SlicerToxic"
    attributes: ClassVar = {"average_size": "int", "size_variation": "int", "delay": "int"}
    average_size: int
    size_variation: int
    delay: int

    def pipe(self, stub: Stub) -> Pipe:
        while (chunk := (yield RECEIVE)) is not None:
            data = memoryview(chunk.data)
            for start, end in self._slices(0, len(data), stub):
                yield Chunk(data[start:end], chunk.read_ns)
                rest = Chunk(data[end:], chunk.read_ns) if end < len(data) else None
                yield Hold(stub.clock_ns() + self.delay * MICROSECOND_NS, rest)

    def _slices(self, start: int, end: int, stub: Stub) -> Iterator[tuple[int, int]]:
        """Halve until a piece is no longer than the average plus the variation, moving each cut by the variation.

        A cut that would fall outside stays inside, and one byte is never cut: the original panics there.
        """
        size = end - start
        if size <= 1 or size <= self.average_size + self.size_variation:
            yield start, end
            return
        middle = start + size // 2
        if self.size_variation > 0:
            middle += stub.random.randrange(2 * self.size_variation) - self.size_variation
            middle = min(max(middle, start + 1), end - 1)
        yield from self._slices(start, middle, stub)
        yield from self._slices(middle, end, stub)
