"""`tracegap analyze`: spans in, findings out. The run uses the same function on its own directory.

The analysis is imported when it is needed: `tracegap analyze --help` must not wait for Arrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tracegap.errors import UnusableInput
from tracegap.reading import (
    MEMORY_BYTES,
    address_book_of,
    can_be_read_again,
    phases_of,
    read_in_batches,
    read_locations,
    read_traces,
)
from tracegap.report_options import (
    FORMATS,
    LOCATIONS_HELP,
    budget_option,
    columns_option,
    format_option,
    output_option,
    peer_option,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.diagnosis import Diagnosis
    from analysis.observations import Observations
    from analysis.sources.batches import Batch

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
    spans: pa.Table | None  # null where they did not fit into memory
    logs: pa.Table | None

    def tables_of(self, trace_ids: Sequence[bytes]) -> tuple[pa.Table, pa.Table]:
        """Spans and logs of these traces, and perhaps of others; read once more where they did not fit into memory."""
        if self.spans is None or self.logs is None:
            return read_traces(self.locations, trace_ids)
        return self.spans, self.logs


def analyze_locations(
    locations: Sequence[str],
    *,
    baseline: Sequence[str] = (),
    peers: Mapping[str, str] | None = None,
    phase: str | None = None,
    memory_bytes: int = MEMORY_BYTES,
    draws_traces: bool = True,
) -> Analysis:
    """Read all spans of all locations, in batches where they need more than `memory_bytes`, and diagnose them.

    A run directory brings its phases and its address book; `peers` (`{"host:port": "name"}`) adds to the latter.
    With a `baseline`, it is what the locations are compared with, and their phases do not count, unless `phase` names
    the one of both sides that is to be compared. Where nothing `draws_traces`, spans are not kept, and attributes that
    the analysis does not look at are not even read. Raises UnusableInput for what cannot be read.
    """
    from analysis.diagnose import diagnose

    address_book = {**address_book_of([*locations, *baseline]), **(peers or {})}
    phases = () if baseline else phases_of(locations)
    keeps = draws_traces or not can_be_read_again(locations)
    found = _gather(locations, address_book, phase, memory_bytes, keeps_spans=keeps)
    before = _gather(baseline, address_book, phase, memory_bytes, keeps_spans=False).observations if baseline else None
    diagnosis = diagnose(
        found.observations, baseline=before, phases=phases, logs=found.log_heads, warnings=found.warnings
    )
    return Analysis(diagnosis, tuple(locations), found.observations, before, found.spans, found.logs)


@dataclass(frozen=True, slots=True)
class _Gathered:
    observations: Observations
    spans: pa.Table | None
    logs: pa.Table | None
    log_heads: pa.Table  # without the text of the records where they are many
    warnings: tuple[str, ...]


def _gather(
    locations: Sequence[str],
    address_book: Mapping[str, str],
    phase: str | None,
    memory_bytes: int,
    *,
    keeps_spans: bool,
) -> _Gathered:
    """Observe batch after batch; the spans are kept where there is one batch, or no second chance to read them."""
    import pyarrow as pa

    from analysis.observations import concat
    from analysis.observe import ATTRIBUTES_READ, observe
    from analysis.resolve_callees import resolve_callees

    keep = None if keeps_spans else ATTRIBUTES_READ
    observed: list[Observations] = []
    kept: list[Batch] = []
    heads: list[pa.Table] = []
    warnings: list[str] = []
    for batch in read_in_batches(locations, phase, memory_bytes=memory_bytes, keep=keep):
        observed.append(observe(batch.spans))
        heads.append(batch.logs if not heads else _heads(batch.logs))
        warnings += batch.warnings
        if kept and can_be_read_again(locations):
            kept = []
            heads[0] = _heads(heads[0])
        elif keeps_spans and len(kept) == len(observed) - 1:
            kept.append(batch)
    whole = len(kept) == len(observed)
    joined = concat(observed)
    observed.clear()  # of ten million spans, another gigabyte
    return _Gathered(
        resolve_callees(joined, address_book),
        pa.concat_tables([batch.spans for batch in kept]).unify_dictionaries() if whole else None,
        pa.concat_tables([batch.logs for batch in kept]).unify_dictionaries() if whole else None,
        pa.concat_tables(heads).unify_dictionaries(),
        tuple(warnings),
    )


def _heads(logs: pa.Table) -> pa.Table:
    """The same records without what only a person reads: most of their memory."""
    import pyarrow as pa

    for name in ("body", "attributes"):
        index = logs.schema.get_field_index(name)
        field = logs.schema.field(index)
        logs = logs.set_column(index, field, pa.nulls(len(logs), field.type))
    return logs


def observed(spans: pa.Table, address_book: Mapping[str, str]) -> Observations:
    """The observations of these spans, with every callee named."""
    from analysis.observe import observe
    from analysis.resolve_callees import resolve_callees

    return resolve_callees(observe(spans), address_book)


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
@columns_option
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
    draws = form in ("text", "html")
    analysis = analyze_locations(locations, baseline=baseline, peers=peer_names(peers), draws_traces=draws)
    return finish(analysis, form, output, expected)
