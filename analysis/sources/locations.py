"""From what a person names to the bytes to read: files, directories, globs, `-`; gzip and Zstandard undone."""

from __future__ import annotations

import glob
import gzip
import io
import mmap
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import zstandard

from analysis.errors import UnreadableSource
from analysis.sources.noticed import Warnings

__all__ = ["STANDARD_INPUT", "contents", "files"]

STANDARD_INPUT = "-"

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 20
_ALWAYS_BYTES, _MAX_RATIO = 64 << 20, 250
"""Traces compress well, but not beyond this: more is an attack, or no traces."""


def files(location: str) -> Sequence[str]:
    """The files that a location stands for, in order of name. Raises UnreadableSource when there is none."""
    path = Path(location)
    if location == STANDARD_INPUT or path.is_file():
        return (location,)
    if path.is_dir():
        found = _of_directory(path)
        if not found:
            raise UnreadableSource(location, "an empty directory; expected files with spans")
        return found
    if glob.has_magic(location):
        found = [
            each
            for match in sorted(glob.glob(location, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            for each in files(match)
        ]
        if found:
            return found
        raise UnreadableSource(location, "no file matches this pattern")
    if path.exists():
        return (location,)  # a pipe, as in `<(curl ...)`
    raise UnreadableSource(location, "no such file or directory")


def _of_directory(path: Path) -> list[str]:
    """A run directory is its `otlp` part: what lies beside it was derived from it or is no trace."""
    exports = path / "otlp"
    if exports.is_dir():
        path = exports
    elif (path / "spans.parquet").is_file():
        return [str(path / name) for name in ("spans.parquet", "logs.parquet") if (path / name).is_file()]
    # Texts, not paths: of a hundred thousand files, listing them would take longer than reading them.
    found = list(_regular_files(str(path)))
    return sorted(found, key=lambda file: file.split(os.sep))  # noqa: PTH206


def _regular_files(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _regular_files(entry.path)
        elif not entry.name.startswith(".") and entry.is_file():
            yield entry.path


def contents(file: str, warnings: Warnings) -> bytes | mmap.mmap:
    """The bytes of a file, decompressed if need be. Raises UnreadableSource."""
    try:
        if file == STANDARD_INPUT:
            data: bytes | mmap.mmap = sys.stdin.buffer.read()
        else:
            with Path(file).open("rb") as opened:
                regular = os.fstat(opened.fileno()).st_size and Path(file).is_file()
                data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if regular else opened.read()
    except OSError as error:
        raise UnreadableSource(file, error.strerror or str(error)) from error
    if data[:2] == _GZIP:
        return _gunzip(data, warnings)
    return _unzstd(data, warnings) if data[:4] == _ZSTD else data


def _gunzip(data: bytes | mmap.mmap, warnings: Warnings) -> bytes:
    stream = gzip.GzipFile(fileobj=io.BytesIO(data))
    return _drained(stream, len(data), warnings, (EOFError, zlib.error, gzip.BadGzipFile), "gzip")


def _unzstd(data: bytes | mmap.mmap, warnings: Warnings) -> bytes:
    stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True))
    return _drained(stream, len(data), warnings, (zstandard.ZstdError, EOFError), "Zstandard")


def _drained(
    stream: io.BufferedIOBase,
    compressed_bytes: int,
    warnings: Warnings,
    ends: tuple[type[Exception], ...],
    form: str,
) -> bytes:
    """All that can be decompressed; what follows a damaged place is lost, with a warning."""
    parts: list[bytes] = []
    total = 0
    try:
        while part := stream.read1(_CHUNK):  # read() would lose what precedes a cut
            parts.append(part)
            total += len(part)
            if total > _ALWAYS_BYTES and total > _MAX_RATIO * compressed_bytes:
                raise UnreadableSource(warnings.location, f"{form} data that grows more than {_MAX_RATIO} times")
    except ends as error:
        if not parts:
            raise UnreadableSource(warnings.location, f"damaged {form} data ({error})") from error
        warnings.count(f"{form} data is cut short or damaged: what precedes the damage is read")
    return b"".join(parts)
