"""How long the way from observations to findings takes: `python -m benchmarks.diagnose [SPANS...]`.

Caveats: traces come from the synthetic shop of the tests (17 places), so the cost of many places is measured apart,
with names multiplied; reading and observing are not included; medians of three, in CPU seconds of the one
process (the diagnosis uses one core), so that whatever else runs on the machine counts less.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import replace

import pyarrow as pa

from analysis.diagnose import diagnose
from analysis.diagnosis import Phase
from analysis.observations import Observations, concat
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from tests.analysis.shop_traffic import T0, Traffic, constant, spans_of

SPANS_PER_TRACE = 11.3
SECOND_NS = 1_000_000_000


def shop(spans: int) -> tuple[Observations, tuple[Phase, ...]]:
    """A baseline and a phase with a delay of 20 ms on one hop."""
    half = max(10, int(spans / SPANS_PER_TRACE / 2))
    base = Traffic(traces=half, seed=1)
    now = Traffic(traces=half, seed=2, start_s=60, response={"gateway->payment": constant(20)})
    phases = (
        Phase("baseline", T0, T0 + 60 * SECOND_NS, baseline=True),
        Phase("slow", T0 + 60 * SECOND_NS, T0 + 120 * SECOND_NS),
    )
    return resolve_callees(observe(spans_of(base, now)), {}), phases


def many_places(copies: int, spans: int) -> tuple[Observations, tuple[Phase, ...]]:
    """The same shop under many names: each copy has places of its own."""
    parts = []
    phases: tuple[Phase, ...] = ()
    for copy in range(copies):
        observed, phases = shop(spans // copies)
        parts.append(_renamed(observed, copy))
    return concat(parts), phases


def _renamed(observed: Observations, copy: int) -> Observations:
    def rename(table: pa.Table, names: tuple[str, ...]) -> pa.Table:
        for name in names:
            i = table.schema.get_field_index(name)
            column = table[name].combine_chunks()
            words = pa.array([None if w is None else f"{w}-{copy}" for w in column.dictionary.to_pylist()])
            table = table.set_column(i, table.schema.field(i), pa.DictionaryArray.from_arrays(column.indices, words))
        return table

    return replace(
        observed,
        traces=rename(observed.traces, ("service",)),
        hops=rename(observed.hops, ("caller", "callee")),
        own=rename(observed.own, ("service",)),
    )


def measure(name: str, observed: Observations, phases: tuple[Phase, ...]) -> None:
    spans = int(observed.traces["spans"].to_numpy().sum())
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        found = diagnose(observed, phases=phases)
        seconds.append(time.process_time() - begin)
    middle = statistics.median(seconds)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:>12} {spans:>12,} spans {len(found.hops):>6,} hops {len(found.findings):>3} findings "
        f"{middle:>8.2f} CPU s {spans / middle:>12,.0f} spans/CPU s  peak {peak_mib:,.0f} MiB"
    )


def main() -> None:
    for spans in [int(a) for a in sys.argv[1:]] or [1_000, 100_000, 1_000_000]:
        measure("shop", *shop(spans))
    measure("200 shops", *many_places(200, 400_000))


if __name__ == "__main__":
    main()
