"""Runs the generator of a toxic against a clock that only moves when the toxic waits."""

from __future__ import annotations

from random import Random

from faults.proxy.pipe import Chunk, Hold, Stub
from faults.proxy.toxic import Toxic

MS = 1_000_000
NEVER_NS = 1 << 60


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def run(
    toxic: Toxic, arrivals: list[tuple[float, bytes]], *, ends_ms: float | None = None, late_ms: float = 0
) -> list[tuple[float, bytes]]:
    """What leaves a toxic, with the millisecond it leaves at; the end of the stream is an empty chunk.

    Arrivals are (millisecond, data), in order. Without `ends_ms` the source never ends. Stops at a wait that
    nothing ends. Every wait ends `late_ms` too late, as timers do.
    """
    clock = Clock()
    pipe = toxic.pipe(Stub(clock, Random(1)))
    waiting = [Chunk(data, round(at_ms * MS)) for at_ms, data in arrivals]
    out: list[tuple[float, bytes]] = []
    value: Chunk | None = None
    try:
        step = next(pipe)
        while True:
            value = None
            if isinstance(step, Chunk):
                out.append((clock.now_ns / MS, bytes(step.data)))
            elif isinstance(step, Hold):
                if step.until_ns > NEVER_NS:
                    return out
                clock.now_ns = max(clock.now_ns, step.until_ns + round(late_ms * MS))
            else:
                next_ns = waiting[0].read_ns if waiting else NEVER_NS if ends_ms is None else round(ends_ms * MS)
                if step.until_ns is not None and step.until_ns < next_ns:
                    clock.now_ns = step.until_ns
                    break
                if next_ns == NEVER_NS:
                    return out
                clock.now_ns = max(clock.now_ns, next_ns)
                value = waiting.pop(0) if waiting else None
            step = pipe.send(value)
    except StopIteration:
        pass
    out.append((clock.now_ns / MS, b""))
    return out
