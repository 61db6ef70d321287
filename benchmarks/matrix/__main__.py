"""Run the matrix, score it, write docs/accuracy.md.

python -m benchmarks.matrix            # about 40 minutes
python -m benchmarks.matrix --subset   # about five: what continuous integration runs
python -m benchmarks.matrix --score runs/…-matrix   # score a recorded one anew
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml
from rich.console import Console

from benchmarks.matrix.cells import Cell, all_cells, plan_of, subset
from benchmarks.matrix.page import as_page, as_table, summary
from benchmarks.matrix.scoring import results
from faults.plan import Plan
from tracegap.errors import TracegapError
from tracegap.experiment.perform import perform
from tracegap.interrupts import interruptible
from tracegap.progress import RunProgress
from tracegap.run_directory import RunDirectory, make_run_directory
from tracegap.stack.stack import StackOptions

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "accuracy.md"
REASONS = HERE / "reasons.yaml"


def run(plan: Plan, runs: Path) -> RunDirectory:
    """Drive all cells on one stack."""
    with interruptible():
        directory = make_run_directory(runs, plan.name)
        with RunProgress() as progress:
            perform(plan, directory, StackOptions(), progress)
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subset", action="store_true", help="a few telling cells")
    parser.add_argument("--only", metavar="TEXT", help="cells whose name contains this")
    parser.add_argument("--score", type=Path, metavar="RUN", help="score this run directory of the same cells again")
    parser.add_argument("--at-least", type=float, metavar="SHARE", help="exit 1 when a smaller share of cells is right")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    cells: list[Cell] = all_cells()
    if options.subset:
        cells = subset(cells)
    if options.only:
        cells = [cell for cell in cells if options.only in cell.name]
    plan = plan_of(cells, seed=7)
    console = Console()
    try:
        directory = RunDirectory(options.score) if options.score else run(plan, options.runs)
        found = []
        for result in results(directory, plan, cells):
            found.append(result)
            console.print(f"{result.word:12} {result.cell.name:40} {result.detail}", highlight=False, soft_wrap=True)
    except TracegapError as error:
        sys.exit(f"matrix: {error}")
    console.print(as_table(found))
    console.print(summary(found))
    if not options.subset and not options.only:
        PAGE.write_text(as_page(found, yaml.safe_load(REASONS.read_text()) or {}), encoding="utf-8")
    if options.at_least and sum(result.good for result in found) < options.at_least * len(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
