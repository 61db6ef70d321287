"""Large inputs: compiled walks over pieces of the raw bytes, on all cores.

A piece that a walk gives up on is halved until only the odd unit is left, which the form's Python reader reads.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.sources.conventions import Process
from analysis.sources.noticed import Warnings
from analysis.sources.otlp_frames import Range
from analysis.sources.otlp_values import Pairs
from analysis.sources.raw_spans import RawSpans
from analysis.sources.span_building import span_table
from analysis.sources.tables import Tables
from analysis.sources.threads import in_order
from analysis.sources.walk_columns import raw_spans
from analysis.sources.walk_output import OK, Bytes, Ints, Output, allocate, reset

__all__ = ["PIECE_BYTES", "WalkedForm", "output_for", "walk_units"]

PIECE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class WalkedForm:
    """A form that has a compiled walk. A unit is a range of bytes that can be read alone: a message, a trace."""

    seeds: tuple[bytes, ...]
    walk: Callable[[], Callable[[Bytes, int, int, Output], int]]
    processes: Callable[[Bytes, Output], tuple[Sequence[Process], Ints]]
    value_text: Callable[[bytes], str]
    exception_pairs: Callable[[bytes], Pairs]
    damage: tuple[type[Exception], ...]  # what the two above raise on bytes that are not what they seemed
    read_unit: Callable[[bytes, Warnings], Tables]  # the form's Python reader


def walk_units(data: Bytes, units: Sequence[Range], form: WalkedForm, warnings: Warnings) -> Iterator[Tables]:
    """The tables of all units, piece after piece, in order; few pieces are under way at a time."""
    form.walk()  # loads numba here, once, before threads need it
    for tables, noticed in in_order(lambda piece: _read_piece(data, piece, form, warnings.location), _pieces(units)):
        warnings.merge(noticed)
        yield tables


def _pieces(units: Sequence[Range]) -> Iterator[Sequence[Range]]:
    first = size = 0
    for index, (begin, end) in enumerate(units):
        size += end - begin
        if size >= PIECE_BYTES:
            yield units[first : index + 1]
            first, size = index + 1, 0
    if first < len(units):
        yield units[first:]


def _read_piece(data: Bytes, units: Sequence[Range], form: WalkedForm, location: str) -> tuple[Tables, Warnings]:
    warnings = Warnings(location)
    raw = _walked(data, units, form)
    if raw is not None:
        return Tables(spans=span_table(raw, warnings)), warnings
    if len(units) == 1:
        begin, end = units[0]
        return form.read_unit(data[begin:end].tobytes(), warnings), warnings
    middle = len(units) // 2
    first, noticed_first = _read_piece(data, units[:middle], form, location)
    second, noticed_second = _read_piece(data, units[middle:], form, location)
    warnings.merge(noticed_first)
    warnings.merge(noticed_second)
    return Tables.concat([first, second]), warnings


def _walked(data: Bytes, units: Sequence[Range], form: WalkedForm) -> RawSpans | None:
    out = output_for(sum(end - begin for begin, end in units), form.seeds)
    walk = form.walk()
    for begin, end in units:
        if walk(data, begin, end, out) != OK:
            return None
    try:
        processes, of_group = form.processes(data, out)
        return raw_spans(data, out, processes, of_group, form.value_text, form.exception_pairs)
    except form.damage:
        return None


_own = threading.local()


def output_for(size: int, seeds: tuple[bytes, ...], kept: int = 0) -> Output:
    """This thread's output, large enough and empty: new memory costs more than what is written to it."""
    if getattr(_own, "size", -1) < size:
        _own.size = max(size, PIECE_BYTES * 5 // 4)
        _own.output = allocate(_own.size)
    output: Output = _own.output
    reset(output, seeds, kept=kept)
    return output


def as_bytes(data: bytes | mmap.mmap) -> Bytes:
    """The bytes as kernels take them, without copying."""
    return np.frombuffer(data, np.uint8)
