"""What is wrong with traces as data, in words: repeated ids and parents that lead in a circle.

Missing parents and lost contexts are no warnings: they are causes, and told as findings.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from analysis.observations import DEFECTS

__all__ = ["defect_warnings"]

_WORDS = {
    "duplicate_id": (
        "1 span has the id of another span of its trace and is left out",
        "{:,} spans have the id of another span of their trace and are left out",
    ),
    "cycle": (
        "1 circle of parents is cut open",
        "{:,} circles of parents are cut open",
    ),
}


def defect_warnings(defects: pa.Table) -> tuple[str, ...]:
    """One line for each kind of defect that changed what was read of a trace. `defects` has DEFECTS_SCHEMA."""
    lines = []
    for name, (one, many) in _WORDS.items():
        count: int = pc.sum(pc.equal(defects["kind"], DEFECTS.index(name))).as_py() or 0
        if count:
            lines.append(one if count == 1 else many.format(count))
    return tuple(lines)
