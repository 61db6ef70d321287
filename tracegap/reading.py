"""Where commands get spans from: run directories, files, addresses; whole, or batch after batch."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracegap.errors import UnusableInput
from tracegap.report_options import COLUMNS_KEY
from tracegap.run_directory import RunDirectory

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.diagnosis import Phase
    from analysis.sources import ReadResult
    from analysis.sources.batches import Batch

__all__ = [
    "MEMORY_BYTES",
    "address_book_of",
    "can_be_read_again",
    "phases_of",
    "read_in_batches",
    "read_locations",
    "read_traces",
]

MEMORY_BYTES = 1 << 29
"""Spans beyond this are read in batches: about five million, whose observations take twice as much."""

STANDARD_INPUT = "-"
CLEAR_LINE = "\r\x1b[K"


def read_locations(locations: Sequence[str]) -> ReadResult:
    """Spans and logs of these locations; of a run directory, those that its collector wrote.

    Raises UnusableInput with the one line that says which file is unreadable, where, and why.
    """
    from analysis.sources import read

    with _one_clear_line(), _progress() as progress:
        return read(_span_locations(locations), columns=_columns(), progress=progress)


def read_in_batches(
    locations: Sequence[str],
    phase: str | None = None,
    *,
    memory_bytes: int = MEMORY_BYTES,
    keep: AbstractSet[str] | None = None,
) -> Iterator[Batch]:
    """The same in batches of complete traces: one when everything fits into `memory_bytes`. With a `phase`, the traces
    whose first span began in the phase of this name. With `keep`, without the spans' other attributes.

    Raises UnusableInput, also for a phase that the locations do not have.
    """
    from analysis.sources.batches import Batch, read_batches

    windows = _windows(locations, phase) if phase is not None else ()
    with _one_clear_line(), _progress() as progress:
        batches = read_batches(
            _span_locations(locations), memory_bytes=memory_bytes, columns=_columns(), keep=keep, progress=progress
        )
        for batch in batches:
            if windows:
                chosen = _begun_within(batch.spans, windows)
                yield Batch(_of(batch.spans, chosen), _of(batch.logs, chosen), batch.warnings)
            else:
                yield batch


def read_traces(locations: Sequence[str], trace_ids: Sequence[bytes]) -> tuple[pa.Table, pa.Table]:
    """Spans and logs of these traces alone, holding little more than them in memory. Raises UnusableInput."""
    import pyarrow as pa

    from analysis.sources.batches import read_batches

    wanted = pa.array(trace_ids, pa.binary(16))
    spans: list[pa.Table] = []
    logs: list[pa.Table] = []
    with _one_clear_line(), _progress() as progress:
        for batch in read_batches(_span_locations(locations), columns=_columns(), progress=progress):
            spans.append(_of(batch.spans, wanted))
            logs.append(_of(batch.logs, wanted))
    return pa.concat_tables(spans).unify_dictionaries(), pa.concat_tables(logs).unify_dictionaries()


def can_be_read_again(locations: Sequence[str]) -> bool:
    """Not what came over standard input or from a server, which would answer differently the second time."""
    return not any(location == STANDARD_INPUT or "://" in location for location in locations)


def _columns() -> Mapping[str, str] | None:
    """What `--columns` of the command at work says: it holds for everything that this command reads."""
    context = click.get_current_context(silent=True)
    return context.meta.get(COLUMNS_KEY) if context else None


def _of(table: pa.Table, trace_ids: pa.Array) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table["trace_id"], trace_ids))


def _windows(locations: Sequence[str], phase: str) -> tuple[Phase, ...]:
    known = phases_of(locations)
    windows = tuple(window for window in known if window.name == phase)
    if not windows:
        names = ", ".join(window.name for window in known) or "none"
        raise UnusableInput(f"{' '.join(locations)}: no phase {phase}; it has {names}")
    return windows


def _begun_within(spans: pa.Table, windows: Sequence[Phase]) -> pa.Array:
    import pyarrow.compute as pc

    starts = spans.group_by("trace_id").aggregate([("start_ns", "min")])
    begun = pc.field("start_ns_min")
    inside = reduce(or_, ((begun >= window.start_ns) & (begun < window.end_ns) for window in windows))
    return starts.filter(inside)["trace_id"].combine_chunks()


@contextmanager
def _one_clear_line() -> Iterator[None]:
    from analysis.errors import UnreadableSource

    try:
        yield
    except UnreadableSource as error:
        raise UnusableInput(str(error)) from error


@contextmanager
def _progress() -> Iterator[Callable[[str], None] | None]:
    """How far a long read is, on a line of standard error that goes away in the end; nowhere but on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from analysis.report.printable import shortened

    width = shutil.get_terminal_size().columns
    try:
        yield lambda text: click.echo(f"{CLEAR_LINE}{shortened(text, width - 1)}", nl=False, err=True)
    finally:
        click.echo(CLEAR_LINE, nl=False, err=True)


def _run_directory(location: str) -> RunDirectory | None:
    run = RunDirectory(Path(location))
    return run if run.phases.is_file() or run.otlp.is_dir() else None


def _span_locations(locations: Sequence[str]) -> list[str]:
    return [inner for location in locations for inner in _spans_within(location)]


def _spans_within(location: str) -> list[str]:
    """A run directory holds much that is not spans, and its Parquet files hold the same spans once more."""
    run = _run_directory(location)
    if run is None:
        return [location]
    if run.otlp.is_dir():
        return [str(run.otlp)]
    return [str(path) for path in (run.spans, run.logs) if path.is_file()] or [location]


def phases_of(locations: Sequence[str]) -> tuple[Phase, ...]:
    """The phases of the run directories among the locations. Raises UnusableInput for a damaged phases.json."""
    from analysis.diagnosis import Phase

    phases: list[Phase] = []
    for location in locations:
        run = _run_directory(location)
        if run is None or not run.phases.is_file():
            continue
        document = _json(run.phases)
        try:
            phases += [
                Phase(str(p["name"]), int(p["start_ns"]), int(p["end_ns"]), bool(p["baseline"]))
                for p in document["phases"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableInput(
                f'{run.phases}: expected {{"phases": [{{"name", "start_ns", "end_ns", "baseline"}}, ...]}}'
            ) from error
    return tuple(phases)


def address_book_of(locations: Sequence[str]) -> dict[str, str]:
    """What the run directories among the locations say about callees without spans: `{"host:port": "name"}`."""
    names: dict[str, str] = {}
    for location in locations:
        run = _run_directory(location)
        if run is None or not run.peers.is_file():
            continue
        document = _json(run.peers)
        if not all(isinstance(name, str) for name in document.values()):
            raise UnusableInput(f'{run.peers}: expected {{"HOST:PORT": "name", ...}}')
        names |= document
    return names


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UnusableInput(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise UnusableInput(f"{path}: expected a JSON object")
    return document
