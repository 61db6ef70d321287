"""From Jaeger JSON files to a report, as whole processes: `python -m benchmarks.end_to_end [--crisp COMMAND]`.

Writes the files (see end_to_end_traces) into a temporary directory, then runs `tracegap analyze DIR --format json
-o FILE` several times, start-up and imports included, and in turns with it CRISP where a command that starts a copy of
it is named. Says wall and processor seconds and the peak memory of each. Caveats: end_to_end.md.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.end_to_end_traces import ROOT_OPERATION, ROOT_SERVICE, write_files

SIZES = ((27, 1_000), (3_000, 110_000), (46_000, 2_100_000))
"""Files, and spans in all of them together."""


@dataclass(frozen=True)
class Cost:
    """Of one process and those that it started and waited for."""

    wall_s: float
    cpu_s: float
    peak_mb: float  # of the largest of them


def cost_of(command: Sequence[str]) -> Cost:
    """Run it to its end. Raises CalledProcessError unless it ends well."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def tracegap_command(files: Path, out: Path) -> list[str]:
    program = [sys.executable, "-m", "tracegap", "analyze", str(files)]
    return [*program, "--format", "json", "-o", str(out / "report.json")]


def crisp_command(crisp: str, files: Path, out: Path) -> list[str]:
    """CRISP's full report on two processes, as its own command line makes it."""
    shutil.rmtree(out / "crisp", ignore_errors=True)
    (out / "crisp").mkdir()
    return [
        *shlex.split(crisp), "-s", ROOT_SERVICE, "-a", ROOT_OPERATION, "-i", str(files), "-o", str(out / "crisp"),
        "--parallelism", "2",
    ]  # fmt: skip


def measure(files: int, spans: int, runs: int, crisp: str | None, directory: Path) -> None:
    """Print a line of the table for each program."""
    traces = directory / f"{files}-files"
    traces.mkdir()
    size_mb = write_files(traces, files, spans) / 1e6
    commands = {"tracegap": tracegap_command(traces, directory)}
    cost_of(commands["tracegap"])  # compiles kernels where none are cached, and brings the files into memory
    costs: dict[str, list[Cost]] = {}
    for _ in range(runs):
        costs.setdefault("tracegap", []).append(cost_of(commands["tracegap"]))
        if crisp:
            costs.setdefault("CRISP", []).append(cost_of(crisp_command(crisp, traces, directory)))
    for name, each in costs.items():
        wall_s, cpu_s = (statistics.median(values) for values in zip(*((c.wall_s, c.cpu_s) for c in each), strict=True))
        peak_mb = max(c.peak_mb for c in each)
        least_s = min(c.wall_s for c in each)
        print(
            f"| {name} | {spans:,} in {files:,} | {size_mb:,.0f} | {wall_s:.2f} | {least_s:.2f} | {cpu_s:.2f} "
            f"| {spans / wall_s:,.0f} | {peak_mb:,.0f} |",
            flush=True,
        )
    if crisp:
        ratios = [c.wall_s / t.wall_s for t, c in zip(costs["tracegap"], costs["CRISP"], strict=True)]
        print(f"\ntracegap is {statistics.median(ratios):.1f} times as fast as CRISP here\n", flush=True)
    shutil.rmtree(traces)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--crisp", metavar="COMMAND", help="what starts a copy of CRISP, such as `crisp`")
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--sizes", default="0,1,2", help=f"which of {SIZES}, as files and spans")
    given = arguments.parse_args()
    print("| program | spans in files | MB | median s | least s | CPU s | spans/s | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="tracegap-") as directory:
        for size in given.sizes.split(","):
            measure(*SIZES[int(size)], given.runs, given.crisp, Path(directory))


if __name__ == "__main__":
    main()
