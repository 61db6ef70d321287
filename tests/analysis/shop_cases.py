"""Comparing two windows of the synthetic shop's traffic."""

from __future__ import annotations

import numpy as np

from analysis.compare import compare
from analysis.compare_frame import frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.diagnosis import Finding
from analysis.findings import Draft, ranked
from analysis.observations import Observations, concat
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from tests.analysis.shop_traffic import Traffic, spans_of

__all__ = ["compared", "drafts_of", "observed"]


def observed(*windows: Traffic) -> Observations:
    return resolve_callees(observe(spans_of(*windows)), {})


def drafts_of(base: Traffic, now: Traffic) -> list[Draft]:
    parts = [observe(spans_of(base)), observe(spans_of(now))]
    together = resolve_callees(concat(parts), {})
    side = np.repeat([BASELINE, CURRENT], [len(part.traces) for part in parts]).astype(np.int8)
    return compare(Comparison(frame(together), side)).drafts


def compared(base: Traffic, now: Traffic) -> tuple[Finding, ...]:
    return ranked(drafts_of(base, now))
