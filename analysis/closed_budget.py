"""The closed budget: which category a span's time on a path has, and the sums per trace."""

from __future__ import annotations

import numpy as np

from analysis.critical_path_walk import QUEUE, WAIT, Path
from analysis.hops import CALL, MESSAGE, Crossings
from analysis.observations import CATEGORIES
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s

__all__ = ["category_of", "sum_budget"]

CODE = {name: code for code, name in enumerate(CATEGORIES)}


def category_of(crossings: Crossings, leaf: Int8s) -> Int8s:
    """For each span the category of its time that no child covers."""
    category = np.where(leaf != 0, CODE["self"], CODE["gap"]).astype(np.int8)
    carried = np.flatnonzero(crossings.carrier >= 0)
    hop = crossings.hop[crossings.carrier[carried]]
    # Sending is time with the broker, a peer; but a sender that waits for its consumer's end waits in the queue.
    callee = crossings.callee[hop]
    waits = (crossings.kind[hop] == MESSAGE) & (callee >= 0) & (crossings.asynchronous[callee] == 0)
    category[carried] = np.select([crossings.kind[hop] == CALL, waits], [CODE["wire"], CODE["queue"]], CODE["peer"])
    return category


def sum_budget(forest: Forest, category: Int8s, path: Path, uncovered_ns: Int64s) -> dict[str, Int64s]:
    """Per category and trace the nanoseconds on the path; they add up to the path's length."""
    sums = {}
    for name, code in CODE.items():
        per_span = np.where(category == code, uncovered_ns, 0)
        if name == "overlap":
            per_span = path.own_ns - uncovered_ns
        sums[name] = np.add.reduceat(per_span, forest.first[:-1]) if forest.traces else np.empty(0, np.int64)
    for what, name in ((QUEUE, "queue"), (WAIT, "gap")):
        pieces = np.flatnonzero(path.what == what)
        length = path.end_ns[pieces] - path.begin_ns[pieces]
        np.add.at(sums[name], forest.trace[path.span[pieces]], length)
    return sums
