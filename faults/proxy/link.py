"""One direction of a connection: from the socket where data comes in, through its toxics, to the other socket."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from time import monotonic_ns

from faults.proxy.endpoint import BUFFER, CHUNK_BYTES, Endpoint
from faults.proxy.pipe import Chunk, Stub
from faults.proxy.poller import Poller
from faults.proxy.stage import Output, Stage
from faults.proxy.toxic_chain import ActiveToxic, Direction

__all__ = ["Link"]

CHUNKS_PER_TURN = 8
"""How many chunks one connection may read before the others get their turn."""


class Link:
    """Moves data from `source` to `dest`. Ends when the source did and everything went through, or when dest is lost.

    As in the original the end of one direction closes the socket it leads to, both ways: half-closed connections
    are not passed on.
    """

    __slots__ = ("_on_end", "_poller", "_pumping", "_random", "_stages", "dest", "direction", "finished",
                 "received_bytes", "sent_bytes", "source", "source_ended")  # fmt: skip

    def __init__(
        self,
        direction: Direction,
        source: Endpoint,
        dest: Endpoint,
        toxics: list[ActiveToxic],
        poller: Poller,
        random: Random,
        on_end: Callable[[Link], None],
    ) -> None:
        self.direction = direction
        self.source = source
        self.dest = dest
        self.received_bytes = 0
        self.sent_bytes = 0
        self.source_ended = False
        self.finished = False
        self._poller = poller
        self._random = random
        self._on_end = on_end
        self._pumping = False
        self._stages: list[Stage] = []
        for active in toxics:
            self._append(active)

    # moving data

    def pump(self) -> None:
        """Move whatever can move. Called when the source has data, dest took some, or a toxic's time has come."""
        if self._pumping:
            return
        self._pumping = True
        try:
            if self._stages:
                self._pump_stages()
            else:
                self._relay()
        finally:
            self._pumping = False

    def _relay(self) -> None:
        """The way without toxics: one read, one write, no copy of the data kept unless dest is slow."""
        source, dest = self.source, self.dest
        if self.source_ended or self.finished or not source.readable or not dest.has_room():
            return
        try:
            size = source.recv_into(BUFFER)
        except BlockingIOError:
            source.readable = False
            return
        except OSError:
            size = 0
        if size == 0:
            self.source_has_ended()
            return
        self.received_bytes += size
        if not dest.write(BUFFER[:size]):
            return
        self.sent_bytes += size
        if size == len(BUFFER) or source.hung_up:
            self._poller.soon(self.pump)
        else:
            source.readable = False

    def _pump_stages(self) -> None:
        stages, source = self._stages, self.source
        first = stages[0]
        reads = 0
        while not self.finished:
            moved = False
            if source.readable and not self.source_ended and first.has_room():
                if reads == CHUNKS_PER_TURN:
                    self._poller.soon(self.pump)
                    return
                reads += 1
                moved = self._read_chunk(first)
            for stage in stages:
                moved |= stage.advance()
            # One stage alone has gone as far as it can; of several, one may have made room for the one before it.
            if not moved or (len(stages) == 1 and not source.readable):
                return

    def _read_chunk(self, first: Stage) -> bool:
        source = self.source
        try:
            data = source.recv(CHUNK_BYTES)
        except BlockingIOError:
            source.readable = False
            return False
        except OSError:
            data = b""
        if data:
            self.received_bytes += len(data)
            first.push(Chunk(data, monotonic_ns()))
            source.readable = len(data) == CHUNK_BYTES or source.hung_up
        else:
            self.source_ended = True
            first.end()
        return True

    # the output of the last stage

    def has_room(self) -> bool:
        return self.dest.has_room()

    def push(self, chunk: Chunk) -> None:
        if not self.finished and self.dest.write(chunk.data):
            self.sent_bytes += len(chunk.data)

    def end(self) -> None:
        """Everything that will ever go through has gone through."""
        if not self.finished:
            self._finish()
            self.dest.close_when_flushed()

    # ends

    def source_has_ended(self) -> None:
        """The source sent FIN or RST, or was closed by the other direction."""
        if self.source_ended or self.finished:
            return
        self.source_ended = True
        if self._stages:
            self._stages[0].end()
            self.pump()
        else:
            self.end()

    def dest_is_lost(self) -> None:
        """Nothing can be delivered any more."""
        if not self.finished:
            self._finish()

    def _finish(self) -> None:
        self.finished = True
        for stage in self._stages:
            stage.discard()
        self._on_end(self)

    @property
    def resets(self) -> bool:
        """Whether a toxic on this direction ends connections with RST."""
        return any(stage.active.toxic.resets for stage in self._stages)

    # changes of the chain under a live connection

    def toxic_added(self, active: ActiveToxic) -> None:
        if self.finished:
            return
        if self._stages:
            self._stages[-1].restart()
        self._append(active)
        self.pump()

    def toxic_updated(self, active: ActiveToxic) -> None:
        stage = self._stage_of(active)
        if stage is not None:
            stage.restart()
            self.pump()

    def toxic_removed(self, active: ActiveToxic) -> None:
        stage = self._stage_of(active)
        if stage is None:
            return
        if active.toxic.closes_when_removed:
            stage.close()
            self.pump()
            return
        stage.drain()
        position = self._stages.index(stage)
        before = self._stages[position - 1] if position else None
        del self._stages[position]
        if before is not None:
            before.output = stage.output
            before.restart()
        self.pump()

    def _append(self, active: ActiveToxic) -> Stage:
        stub = Stub(monotonic_ns, self._random)
        output: Output = self
        stage = Stage(active, stub, self._poller, output, self.pump)
        if self._stages:
            self._stages[-1].output = stage
        self._stages.append(stage)
        return stage

    def _stage_of(self, active: ActiveToxic) -> Stage | None:
        """The stage of a toxic, unless it has ended the stream already."""
        if self.finished:
            return None
        return next((stage for stage in self._stages if stage.active is active and not stage.closed), None)
