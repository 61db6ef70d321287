"""`tracegap analyze`: spans in, findings out. The run uses the same function on its own directory.

The analysis is imported when it is needed: `tracegap analyze --help` must not wait for Arrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracegap.errors import UnusableInput
from tracegap.report_options import (
    FORMATS,
    LOCATIONS_HELP,
    budget_option,
    format_option,
    output_option,
    peer_option,
)
from tracegap.run_directory import RunDirectory

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.diagnosis import Diagnosis, Phase
    from analysis.observations import Observations
    from analysis.sources import ReadResult

__all__ = [
    "FORMATS",
    "LOCATIONS_HELP",
    "Analysis",
    "address_book_of",
    "analyze_locations",
    "command",
    "observed",
    "peer_names",
    "read_locations",
]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A diagnosis with what it was made from, so that reports can draw traces and distributions."""

    diagnosis: Diagnosis
    locations: tuple[str, ...]
    observations: Observations
    baseline: Observations | None
    spans: pa.Table
    logs: pa.Table


def analyze_locations(
    locations: Sequence[str],
    *,
    baseline: Sequence[str] = (),
    peers: Mapping[str, str] | None = None,
    phase: str | None = None,
) -> Analysis:
    """Read all spans of all locations and diagnose them.

    A run directory brings its phases and its address book; `peers` (`{"host:port": "name"}`) adds to the latter.
    With a `baseline`, it is what the locations are compared with, and their phases do not count, unless `phase` names
    the one of both sides that is to be compared. Raises UnusableInput for what cannot be read.
    """
    from analysis.diagnose import diagnose

    address_book = {**address_book_of([*locations, *baseline]), **(peers or {})}
    phases = () if baseline else _phases(locations)
    read = _read(locations, phase)
    observations = observed(read.spans, address_book)
    before = observed(_read(baseline, phase).spans, address_book) if baseline else None
    diagnosis = diagnose(observations, baseline=before, phases=phases, logs=read.logs, warnings=read.warnings)
    return Analysis(diagnosis, tuple(locations), observations, before, read.spans, read.logs)


def read_locations(locations: Sequence[str]) -> ReadResult:
    """Spans and logs of these locations; of a run directory, those that its collector wrote.

    Raises UnusableInput with the one line that says which file is unreadable, where, and why.
    """
    from analysis.errors import UnreadableSource
    from analysis.sources import read

    try:
        return read([inner for location in locations for inner in _span_locations(location)])
    except UnreadableSource as error:
        raise UnusableInput(str(error)) from error


def _read(locations: Sequence[str], phase: str | None) -> ReadResult:
    """All spans, or those of the traces whose first span began in the phase of this name."""
    read = read_locations(locations)
    if phase is None:
        return read
    windows = [window for window in _phases(locations) if window.name == phase]
    if not windows:
        known = ", ".join(window.name for window in _phases(locations)) or "none"
        raise UnusableInput(f"{' '.join(locations)}: no phase {phase}; it has {known}")
    import pyarrow.compute as pc

    starts = read.spans.group_by("trace_id").aggregate([("start_ns", "min")])
    begun = pc.field("start_ns_min")
    inside = reduce(or_, ((begun >= window.start_ns) & (begun < window.end_ns) for window in windows))
    chosen = starts.filter(inside)["trace_id"].combine_chunks()
    return replace(
        read,
        spans=read.spans.filter(pc.is_in(read.spans["trace_id"], chosen)),
        logs=read.logs.filter(pc.is_in(read.logs["trace_id"], chosen)),
    )


def observed(spans: pa.Table, address_book: Mapping[str, str]) -> Observations:
    """The observations of these spans, with every callee named."""
    from analysis.observe import observe
    from analysis.resolve_callees import resolve_callees

    return resolve_callees(observe(spans), address_book)


def _run_directory(location: str) -> RunDirectory | None:
    run = RunDirectory(Path(location))
    return run if run.phases.is_file() or run.otlp.is_dir() else None


def _span_locations(location: str) -> list[str]:
    """A run directory holds much that is not spans, and its Parquet files hold the same spans once more."""
    run = _run_directory(location)
    if run is None:
        return [location]
    if run.otlp.is_dir():
        return [str(run.otlp)]
    return [str(path) for path in (run.spans, run.logs) if path.is_file()] or [location]


def _phases(locations: Sequence[str]) -> tuple[Phase, ...]:
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


def peer_names(options: Sequence[str]) -> dict[str, str]:
    """`("127.0.0.1:5432=postgres",)` as an address book. Raises UnusableInput for anything else."""
    names: dict[str, str] = {}
    for option in options:
        address, _, name = option.partition("=")
        host, _, port = address.rpartition(":")
        if not (host and name and port.isdecimal()):
            raise UnusableInput(f"--peer {option}: expected HOST:PORT=NAME, such as 10.0.0.7:5432=postgresql")
        names[address] = name
    return names


@click.command(epilog=LOCATIONS_HELP)
@click.argument("locations", nargs=-1, required=True, metavar="PATH|URL...")
@click.option(
    "--baseline",
    multiple=True,
    metavar="PATH|URL",
    help="Spans from when the system was well, to compare with; repeatable. Without it a run is compared with its own"
    " baseline phase, and anything else with its own fast traces.",
)
@format_option
@output_option
@budget_option
@peer_option
def command(
    locations: tuple[str, ...],
    baseline: tuple[str, ...],
    form: str,
    output: str | None,
    budgets: tuple[str, ...],
    peers: tuple[str, ...],
) -> int:
    """Say where the time of these traces goes, which hops failed, and what is to blame."""
    from tracegap.reports import finish, parsed_budgets

    expected = parsed_budgets(budgets)
    analysis = analyze_locations(locations, baseline=baseline, peers=peer_names(peers))
    return finish(analysis, form, output, expected)
