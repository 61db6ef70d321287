"""Frames on disk: each export request behind its length as 4 bytes big-endian.

This is what the OpenTelemetry Collector's file exporter writes with `format: proto`. A frame is with the operating
system when `append` returns, so it survives the end of this process, by SIGKILL too. A frame that could not be
written whole is cut off again; one that was cut short by a kill was never acknowledged.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from collector.errors import StorageFull

__all__ = ["FILE_BYTES", "FrameFile"]

FILE_BYTES = 256 * 1024 * 1024
"""A file that has grown to this many bytes is closed and the next one begun."""


class FrameFile:
    """The growing `<signal>-NNNN.binpb` files of one signal in one directory.

    A directory that already holds files is continued with a new file: an old last frame may be cut short.
    """

    def __init__(self, directory: Path, signal: str, *, file_bytes: int = FILE_BYTES) -> None:
        self.directory = directory
        self.signal = signal
        self._file_bytes = file_bytes
        self._size = 0
        self._fd = -1
        self._number = max((int(p.stem.rpartition("-")[2]) for p in directory.glob(f"{signal}-*.binpb")), default=0)

    def append(self, body: bytes) -> None:
        """Write one frame. Raises StorageFull, and leaves no part of the frame, when it does not fit."""
        if self._fd < 0 or self._size >= self._file_bytes:
            self._begin_file()
        frame = (struct.pack(">I", len(body)), body)
        expected = 4 + len(body)
        try:
            written = os.writev(self._fd, frame)
            while written < expected:  # interrupted, or the disk has just filled up: the next write says which
                written += os.write(self._fd, b"".join(frame)[written:])
        except OSError as error:
            os.ftruncate(self._fd, self._size)
            os.lseek(self._fd, self._size, os.SEEK_SET)
            raise StorageFull(f"cannot write {self.signal} to {self.directory}: {error.strerror}") from error
        self._size += expected

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _begin_file(self) -> None:
        self.close()
        self._number += 1
        path = self.directory / f"{self.signal}-{self._number:04d}.binpb"
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageFull(f"cannot create {path}: {error.strerror}") from error
        self._size = 0
