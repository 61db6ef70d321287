"""The passes over a batch of traces, in their order, and everything they found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.critical_path_walk import WAIT, Path, walk_completion, walk_root
from analysis.failures import SpanErrors, classify, mark_origins, read_errors
from analysis.hops import Crossings, find_crossings
from analysis.hops_legs import Legs, measure_legs
from analysis.hops_retries import Attempts, count_attempts
from analysis.own_time import OwnTime, measure_own_time
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s

__all__ = ["Measured", "measure"]


@dataclass(frozen=True)
class Measured:
    """What the passes found, by span, by crossing or by stretch of own time."""

    forest: Forest
    crossings: Crossings
    path: Path
    completion: Path
    own: OwnTime
    errors: SpanErrors
    legs: Legs
    attempts: Attempts
    symptom: Int8s
    origin: npt.NDArray[np.bool_]


def measure(forest: Forest, spans: pa.Table) -> Measured:
    """Run every pass. `spans` is the span table that the forest grew from: errors' texts are read from it."""
    # Each pass reads what the ones above it found.
    crossings = find_crossings(forest)
    path = walk_root(forest, crossings)
    completion = walk_completion(forest, crossings, path)
    own = measure_own_time(forest, crossings, path, completion, _waited(forest, completion))
    errors = read_errors(forest, spans)
    failure, symptom = classify(forest, crossings, errors)
    legs = measure_legs(forest, crossings, failure)
    attempts = count_attempts(forest, crossings, failure, errors, spans)
    origin = mark_origins(forest, crossings, attempts.failure, attempts.recovered)
    return Measured(forest, crossings, path, completion, own, errors, legs, attempts, symptom, origin)


def _waited(forest: Forest, completion: Path) -> Int64s:
    waiting = completion.what == WAIT
    length = completion.end_ns[waiting] - completion.begin_ns[waiting]
    waited = np.zeros(len(forest), np.int64)
    np.add.at(waited, completion.span[waiting], length)
    return waited
