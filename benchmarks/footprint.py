"""What a whole run costs: peak memory of all its processes together, and the time until load begins.

    python -m benchmarks.footprint [PLAN] [--every SECONDS] [--json]

Starts `tracegap run PLAN` (by default the demo) and looks at it and all its descendants four times a second. Memory is
the proportional set size (PSS) where the system has it: pages that processes share, such as the interpreter's code
and PostgreSQL's buffers, count once. The sum of the resident set sizes (RSS), which counts them once per process,
stands beside it. A peak between two looks is missed. Time to first load counts from the start of the process, imports
included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

LOOK_EVERY_S = 0.25
MB = 1_000_000


@dataclass(slots=True)
class Footprint:
    """One run. MB are millions of bytes."""

    exit_code: int | None = None
    first_load_s: float | None = None
    total_s: float = 0.0
    peak_pss_mb: float = 0.0
    peak_rss_mb: float = 0.0
    processes_at_peak: int = 0
    at_peak_mb: dict[str, float] = field(default_factory=dict)  # PSS by part, largest first


def measure(plan: list[str], every_s: float) -> Footprint:
    """Run the plan once."""
    found = Footprint()
    with tempfile.TemporaryDirectory(prefix="tracegap-footprint-") as runs:
        command = [sys.executable, "-m", "tracegap", "run", *plan, "--runs", runs, "-o", f"{runs}/report.txt"]
        began_s = time.monotonic()
        with subprocess.Popen(command) as run:
            process = psutil.Process(run.pid)
            while run.poll() is None:
                _look(process, found)
                if found.first_load_s is None and _has_load(Path(runs)):
                    found.first_load_s = time.monotonic() - began_s
                time.sleep(every_s)
        found.exit_code, found.total_s = run.returncode, time.monotonic() - began_s
    return found


def _look(run: psutil.Process, found: Footprint) -> None:
    pss_mb: dict[str, float] = {}
    rss_mb = 0.0
    count = 0
    try:
        family = [run, *run.children(recursive=True)]
    except psutil.Error:
        return
    for process in family:
        try:
            memory = process.memory_full_info()
            name = _part(process.cmdline())
        except psutil.Error:
            continue
        count += 1
        rss_mb += memory.rss / MB
        pss_mb[name] = pss_mb.get(name, 0.0) + getattr(memory, "pss", memory.rss) / MB
    found.peak_rss_mb = max(found.peak_rss_mb, rss_mb)
    if (total := sum(pss_mb.values())) > found.peak_pss_mb:
        found.peak_pss_mb, found.processes_at_peak = total, count
        found.at_peak_mb = dict(sorted(pss_mb.items(), key=lambda entry: -entry[1]))


def _part(command: list[str]) -> str:
    """A short name for a process by its command line."""
    for word in command:
        for module in ("collector", "faults.proxy", "faults.watchdog", "tracegap.stack.guardian", "locust", "tracegap"):
            if word == module:
                return module
        if word.startswith("shop."):
            return word.partition(":")[0]
    return Path(command[0].split(":")[0]).name if command else "gone"


def _has_load(runs: Path) -> bool:
    try:
        return bool(json.loads((runs / "latest" / "progress.json").read_text())["requests"])
    except (OSError, ValueError, KeyError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", nargs="?", help="fault plan; by default the demo's")
    parser.add_argument("--every", type=float, default=LOOK_EVERY_S, help="seconds between two looks")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    found = measure([arguments.plan] if arguments.plan else [], arguments.every)
    if arguments.json:
        print(json.dumps(asdict(found), indent=2))
        return
    print(f"exit code {found.exit_code}, {found.total_s:.1f} s in all")
    print(f"time to first load   {found.first_load_s or float('nan'):7.1f} s")
    print(f"peak memory (PSS)    {found.peak_pss_mb:7.0f} MB in {found.processes_at_peak} processes")
    print(f"peak memory (RSS)    {found.peak_rss_mb:7.0f} MB")
    for name, mb in found.at_peak_mb.items():
        print(f"  {name:<24} {mb:6.1f} MB")


if __name__ == "__main__":
    main()
