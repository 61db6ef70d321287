"""How fast `observe` is and what memory it takes: `python -m benchmarks.observe [SPANS ...]`.

Synthetic traces of one shape, 16 spans each, with no errors: what is measured is the pass itself, from the span table
in memory to the observations in memory, without reading or comparing. Other work on the machine shows in the numbers;
each is the best of three after one run that loads the compiled kernels.
"""

from __future__ import annotations

import resource
import sys
import time

from analysis.observe import observe
from benchmarks.observe_traces import SHAPE, shop_traces


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [1_000, 100_000, 1_000_000]
    began = time.perf_counter()
    observe(shop_traces(2_000))
    print(f"first run, kernels loaded or compiled: {time.perf_counter() - began:.1f} s")
    for size in sizes:
        spans = shop_traces(size // len(SHAPE))
        best = min(_seconds(spans) for _ in range(3))
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{len(spans):>10,} spans {best:8.3f} s {len(spans) / best:>12,.0f} spans/s  peak {peak_gb:.2f} GB")


def _seconds(spans: object) -> float:
    began = time.perf_counter()
    observe(spans)  # type: ignore[arg-type]
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
