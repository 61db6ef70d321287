"""From the span table in memory to observations, and on to report.json: `python -m benchmarks.observe [SPANS ...]`.

Synthetic traces of one shape, 16 spans each, with no errors: what is measured is the analysis itself, without reading.
Other work on the machine shows in the seconds and less in the processor seconds; each is the best of RUNS after one run
that loads the compiled kernels. Peak memory is the process's, and so includes that of every smaller size before it, and
of the generator.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import pyarrow as pa

from analysis.diagnose import diagnose
from analysis.observe import observe
from analysis.report import json
from analysis.report.attachments import Attachments
from analysis.resolve_callees import resolve_callees
from benchmarks.observe_traces import SHAPE, shop_traces

RUNS, MANY_SPANS = 3, 5_000_000


def report(spans: pa.Table) -> str:
    """What `tracegap analyze --format json` makes of these spans."""
    return json.render(diagnose(resolve_callees(observe(spans))), Attachments("benchmark"))


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [1_000, 100_000, 1_000_000]
    began = time.perf_counter()
    report(shop_traces(2_000))
    print(f"first run, kernels loaded or compiled: {time.perf_counter() - began:.1f} s")
    for size in sizes:
        spans = shop_traces(size // len(SHAPE))
        runs = 1 if size >= MANY_SPANS else RUNS
        for name, work in (("observe", observe), ("to report.json", report)):
            wall_s, cpu_s = best_of(runs, work, spans)
            peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{len(spans):>10,} spans {name:>14} {wall_s:8.3f} s {cpu_s:8.3f} CPU s "
                f"{len(spans) / wall_s:>12,.0f} spans/s {len(spans) / cpu_s:>12,.0f} a CPU s  peak {peak_gb:.2f} GB",
                flush=True,
            )


def best_of(runs: int, work: Callable[[pa.Table], object], spans: pa.Table) -> tuple[float, float]:
    """The least wall and processor seconds."""
    wall_s = cpu_s = float("inf")
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work(spans)
        wall_s, cpu_s = min(wall_s, time.perf_counter() - wall), min(cpu_s, time.process_time() - cpu)
    return wall_s, cpu_s


if __name__ == "__main__":
    main()
