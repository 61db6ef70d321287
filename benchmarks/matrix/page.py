"""The matrix as a page of the documentation and as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.matrix.cells import BASELINE_S, FAULT_S, FAULTS
from benchmarks.matrix.scoring import Result, typical_error
from tracegap.stack.description import LINKS

__all__ = ["as_page", "as_table"]

SIGNS = {"right": "✓", "quiet": "–", "not injected": "·"}
"""What stands for a verdict; the others stand for themselves."""

RECORDED = """These runs were recorded first and scored later, by an analyzer whose rules and thresholds had been worked
on with the same recordings: a fresh run may do less well."""

LEGEND = """✓ right place and cause (and leg, where there is one), nothing else; – no visible effect and no finding, as
it should be; · the probe never saw the fault, and nothing was found; *cause* right place, other cause or leg;
*place* found at a neighbour; *missed* nothing found about it; *false* something else was blamed as well.

Magnitudes are those of latencies, sleeping and burning: the reported milliseconds against what the probe felt on the
link, or what the service was told. What a slicer or a thin link adds depends on the bytes of each crossing, so there is
no one number to hold findings against."""


def _sign(result: Result | None) -> str:
    return SIGNS.get(result.word, result.word) if result else ""


def as_table(found: Sequence[Result]) -> Table:
    """Links by toxics."""
    by_place = {(r.cell.row, r.cell.column): r for r in found}
    columns = [fault for fault in FAULTS if any(r.cell.column == fault for r in found)]
    table = Table("link", *columns, title="fault matrix")
    for link in LINKS:
        row = [by_place.get((link.name, fault)) for fault in columns]
        if any(row):
            table.add_row(link.name, *(_sign(r) for r in row))
    return table


def summary(found: Sequence[Result]) -> str:
    """One paragraph of counts."""
    on_links = [r for r in found if r.cell.faults]
    in_services = [r for r in found if r.cell.shop]
    nulls = [r for r in found if not r.cell.faults and not r.cell.shop]
    error = typical_error(found)
    size = f" Median magnitude error: {error[0]:.1f} ms ({error[1]:.1%})." if error else ""
    return (
        f"{sum(r.good for r in on_links)} of {len(on_links)} link faults and {sum(r.good for r in in_services)} of "
        f"{len(in_services)} service faults right; findings in {sum(not r.good for r in nulls)} of {len(nulls)} null "
        f"runs.{size}"
    )


def as_page(found: Sequence[Result], reasons: dict[str, str], *, recorded: bool = False) -> str:
    """docs/accuracy.md. `reasons`: cell name to why it falls short, written by hand and kept from run to run.
    `recorded`: the runs were scored later than they were made."""
    by_place = {(r.cell.row, r.cell.column): r for r in found}
    lines = [
        "# Accuracy",
        "",
        "Written by `make matrix`: every toxic on every link of the shop, each with a baseline of its own "
        f"({BASELINE_S} s, then {FAULT_S} s of the fault), diagnosed from spans and logs alone and then held against "
        "the ledger.",
        *([RECORDED] if recorded else []),
        "",
        summary(found),
        "",
        "| link | " + " | ".join(FAULTS) + " |",
        "|---|" + "---|" * len(FAULTS),
    ]
    for link in LINKS:
        cells = [by_place.get((link.name, fault)) for fault in FAULTS]
        lines.append(f"| `{link.name}` | " + " | ".join(_sign(r) for r in cells) + " |")
    lines += [
        "",
        LEGEND,
        "",
        "## Faults inside services",
        "",
        "| service | does | verdict | found |",
        "|---|---|---|---|",
    ]
    lines += [f"| {r.cell.row} | {_wrong(r)} | {_sign(r)} | {r.detail} |" for r in found if r.cell.shop]
    lines += ["", "## Nothing injected", "", "| run | verdict | found |", "|---|---|---|"]
    lines += [f"| {r.cell.column} | {_sign(r)} | {r.detail} |" for r in found if not r.cell.shop and not r.cell.faults]
    short = [r for r in found if not r.good]
    lines += ["", "## Cells that fall short", ""]
    if short:
        lines += ["| where | fault | verdict | found | reason |", "|---|---|---|---|---|"]
        lines += [
            f"| `{r.cell.row}` | {r.cell.column} | {r.word} | {r.detail} | {reasons.get(r.cell.name, '')} |"
            for r in short
        ]
    else:
        lines.append("None.")
    return "\n".join(lines) + "\n"


def _wrong(result: Result) -> str:
    (wrong,) = result.cell.shop.values()
    return ", ".join(f"{key}: {value}" for key, value in wrong.items())
