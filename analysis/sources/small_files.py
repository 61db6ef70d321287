"""Many small files of Jaeger traces: read into large pieces, and each piece walked at once, on all cores.

Opening a file costs a few microseconds, but starting a reader for each costs a thousand times that. Whatever the walk
does not know (other forms, compressed or damaged files) is left to the readers of single files.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.sources.detect import Form, form_of
from analysis.sources.jaeger_walk import JAEGER_SEEDS, walk_answers
from analysis.sources.noticed import Warnings
from analysis.sources.span_building import CONVENTIONAL_KEYS, span_table
from analysis.sources.tables import Tables
from analysis.sources.threads import in_order
from analysis.sources.walk_columns import raw_spans
from analysis.sources.walk_output import Bytes, Ints
from analysis.sources.walked_forms import JAEGER
from analysis.sources.walking import PIECE_BYTES, output_for

__all__ = ["Walked", "walk_small_files"]

_SMALL_BYTES = 1 << 20
_LOOKED_AT_FILES = 8


@dataclass(frozen=True, slots=True)
class Walked:
    """The spans of some files, and which of the files are left to the reader of single files."""

    tables: Tables
    files: Sequence[str]
    left: Sequence[str]


def walk_small_files(files: Sequence[str], fewest_bytes: int, keep: AbstractSet[str] | None = None) -> Iterator[Walked]:
    """Piece after piece of all these files; all are left where it is not worth loading the walk for them.

    That takes at least `fewest_bytes` of JSON. Of the spans' attributes, the tables have those that `keep` names
    (None: all).
    """
    sizes = _sizes_worth_walking(files, fewest_bytes)
    if sizes is None:
        yield Walked(Tables(), files, files)
        return
    walk_answers.compiled  # noqa: B018 - loads or compiles in this thread, once
    yield from in_order(lambda piece: _walk_piece(piece, keep), _pieces(files, sizes))


def _sizes_worth_walking(files: Sequence[str], fewest_bytes: int) -> Sequence[int] | None:
    """The size of each file in bytes, if they are small and, as far as a few of them tell, JSON."""
    try:
        sample = files[:: max(len(files) // _LOOKED_AT_FILES, 1)]
        if any(form_of(Path(file).read_bytes()) is not Form.JSON for file in sample):
            return None
        sizes = [os.stat(file).st_size for file in files]  # noqa: PTH116 - a path object costs more than the call
    except OSError:
        return None
    return sizes if fewest_bytes <= sum(sizes) <= len(sizes) * _SMALL_BYTES else None


def _pieces(files: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[Sequence[str], int]]:
    """Runs of files, each of about PIECE_BYTES together."""
    first = size = 0
    for index, each in enumerate(sizes):
        size += each
        if size >= PIECE_BYTES:
            yield files[first : index + 1], size
            first, size = index + 1, 0
    if first < len(files):
        yield files[first:], size


def _walk_piece(piece: tuple[Sequence[str], int], keep: AbstractSet[str] | None) -> Walked:
    files, size = piece
    data, bounds = _joined(files, size)
    seeds = JAEGER_SEEDS if keep is None else _seeds(keep)
    out = output_for(len(data), seeds, kept=0 if keep is None else len(seeds))
    failed = np.zeros(len(files), np.int64)
    walk_answers.compiled(data, bounds, failed, out)
    warnings = Warnings("")
    try:
        processes, of_group = JAEGER.processes(data, out)
        raw = raw_spans(data, out, processes, of_group, JAEGER.value_text, JAEGER.exception_pairs)
    except JAEGER.damage:
        raw = None
    if raw is None:
        return Walked(Tables(), files, files)
    tables = Tables(spans=span_table(raw, warnings, keep))
    if warnings.lines():
        # A warning names its file: the reader of single files finds out which.
        return Walked(Tables(), files, files)
    return Walked(tables, files, [files[i] for i in np.flatnonzero(failed).tolist()])


def _seeds(keep: AbstractSet[str]) -> tuple[bytes, ...]:
    known = set(JAEGER_SEEDS)
    wanted = sorted(key.encode() for key in keep | CONVENTIONAL_KEYS)
    return (*JAEGER_SEEDS, *(key for key in wanted if key not in known))


def _joined(files: Sequence[str], size: int) -> tuple[Bytes, Ints]:
    """The bytes of the files one after another, and where each begins; one that cannot be read has none."""
    data = np.empty(size, np.uint8)
    view = data.data
    bounds = np.zeros(len(files) + 1, np.int64)
    at = 0
    for index, file in enumerate(files):
        at += _read_into(file, view[at:])
        bounds[index + 1] = at
    return data[:at], bounds


def _read_into(file: str, room: memoryview) -> int:
    """How many bytes were read; 0 when the file cannot be read or has grown: the reader of single files sees why."""
    try:
        with io.FileIO(file) as opened:
            return opened.readinto(room) or 0
    except OSError:
        return 0
