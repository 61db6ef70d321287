"""The one path that every request takes, whatever it came over: check, write, count, hand on."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path

from collector.admission import Admitted, admit_logs, admit_traces
from collector.frames import FILE_BYTES, FrameFile

__all__ = ["Receiver", "Signal"]


class Signal(Enum):
    """OTLP's signals, by their name in paths and files."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class Receiver:
    """Owns the files of one directory. Not thread-safe: one event loop calls it."""

    def __init__(
        self, directory: Path, *, forward: Callable[[Signal, bytes], None] | None = None, file_bytes: int = FILE_BYTES
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._files = {s: FrameFile(directory, s.value, file_bytes=file_bytes) for s in (Signal.TRACES, Signal.LOGS)}
        self._forward = forward

    def receive(self, signal: Signal, body: bytes) -> Admitted:
        """Take an uncompressed export request in protobuf; when this returns, its frame is with the operating system.

        Raises Malformed or StorageFull. Metrics are dropped: nothing here reads them.
        """
        if signal is Signal.METRICS:
            if self._forward is not None:
                self._forward(signal, body)
            return Admitted(b"", 0)
        admitted = admit_traces(body) if signal is Signal.TRACES else admit_logs(body)
        self._files[signal].append(admitted.body)
        if self._forward is not None:
            self._forward(signal, admitted.body)
        return admitted

    def close(self) -> None:
        for file in self._files.values():
            file.close()
