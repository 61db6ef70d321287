"""Run the matrix, score it, write docs/accuracy.md.

python -m benchmarks.matrix            # about 40 minutes
python -m benchmarks.matrix --subset   # about five: what continuous integration runs
python -m benchmarks.matrix --score runs/…-matrix   # score a recorded one anew
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from rich.console import Console

from benchmarks.matrix.cells import Cell, all_cells, plan_of, subset
from benchmarks.matrix.page import as_page, as_table, summary
from benchmarks.matrix.scoring import results
from tracegap.errors import TracegapError
from tracegap.experiment.perform import perform
from tracegap.interrupts import interruptible
from tracegap.progress import RunProgress
from tracegap.run_directory import RunDirectory, make_run_directory
from tracegap.stack.stack import StackOptions

CELLS_PER_RUN = 30
HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "accuracy.md"
REASONS = HERE / "reasons.yaml"


def run(cells: Sequence[Cell], runs: Path) -> Iterator[RunDirectory]:
    """Drive the cells, so many on one stack."""
    for first in range(0, len(cells), CELLS_PER_RUN):
        plan = plan_of(cells[first : first + CELLS_PER_RUN], seed=7)
        directory = make_run_directory(runs, plan.name)
        with RunProgress() as progress:
            perform(plan, directory, StackOptions(), progress)
        yield directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subset", action="store_true", help="a few telling cells")
    parser.add_argument("--only", metavar="TEXT", help="cells whose name contains this")
    parser.add_argument("--score", type=Path, nargs="+", metavar="RUN", help="score these run directories again")
    parser.add_argument("--at-least", type=float, metavar="SHARE", help="exit 1 when a smaller share of cells is right")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    cells: list[Cell] = all_cells()
    if options.subset:
        cells = subset(cells)
    if options.only:
        cells = [cell for cell in cells if options.only in cell.name]
    console = Console()
    found = []
    try:
        with interruptible():
            directories = map(RunDirectory, options.score) if options.score else run(cells, options.runs)
            for directory in directories:
                for result in results(directory, cells):
                    found.append(result)
                    line = f"{result.word:12} {result.cell.name:40} {result.detail}"
                    console.print(line, highlight=False, soft_wrap=True)
    except TracegapError as error:
        sys.exit(f"matrix: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    console.print(as_table(found))
    console.print(summary(found))
    if not options.subset and not options.only and len(found) == len(cells):
        PAGE.write_text(
            as_page(found, yaml.safe_load(REASONS.read_text()) or {}, recorded=bool(options.score)), encoding="utf-8"
        )
    if options.at_least and sum(result.good for result in found) < options.at_least * len(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
