"""Findings as people and CI read them: drafts of every kind, ranked by what they cost the user."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.compare_frame import Floats, Frame, Ints, Place
from analysis.diagnosis import Finding

__all__ = ["CAUSES", "FAILURE_COST_MS", "Draft", "between", "exemplars", "number", "percent", "ranked", "seed_of"]

FAILURE_COST_MS = 10_000.0
"""A failed request costs its user as much as ten seconds of waiting: so failures and slowness rank on one scale."""

CAUSES = (
    "delay", "jitter", "bandwidth", "stall", "self",
    "refused", "reset", "timeout", "truncated", "late", "lost_response", "error",
    "lost_message", "duplicate",
    "missing_hop", "new_hop", "early_return", "broken_context", "silent",
)  # fmt: skip
"""Every cause that a finding can have; each is explained in docs/findings.md."""

EXEMPLARS = 3


@dataclass(frozen=True, slots=True)
class Draft:
    """A finding without its rank, with what folding and ranking need."""

    finding: Finding
    cost_ms: float  # per trace of the current side
    place: Place
    affected: Ints = field(repr=False)  # traces in which it shows
    folded: tuple[str, ...] = ()  # places whose change this one explains

    @property
    def hop(self) -> str | None:
        return None if self.place.kind == "own" else self.place.name

    def explaining(self, *others: Draft) -> Draft:
        """This draft with the places of others written down as its symptoms."""
        names = {name for other in others for name in (other.place.name, *other.folded)} - {self.place.name}
        return replace(self, folded=tuple(sorted({*self.folded, *names})))


def ranked(drafts: Iterable[Draft]) -> tuple[Finding, ...]:
    """Dearest first; names break ties."""
    ordered = sorted(drafts, key=lambda d: (-d.cost_ms, d.finding.phase or "", d.finding.culprit, d.finding.cause))
    return tuple(replace(draft.finding, rank=rank) for rank, draft in enumerate(ordered, 1))


def exemplars(frame: Frame, traces: Ints, badness: Ints | Floats) -> tuple[str, ...]:
    """Ids of the worst traces, in hex; the id breaks ties."""
    if not len(traces):
        return ()
    worst = np.argsort(-badness, kind="stable")
    limit = badness[worst[min(len(worst), 4 * EXEMPLARS) - 1]]
    rows = np.flatnonzero(badness >= limit)[:10_000]
    pairs = sorted((-float(badness[r]), frame.roots.ids[int(traces[r])].as_py().hex()) for r in rows)
    distinct = dict.fromkeys(name for _, name in pairs)
    return tuple(distinct)[:EXEMPLARS]


def seed_of(*words: str) -> int:
    """The same seed for the same place in every run of the analysis."""
    return zlib.crc32("\0".join(words).encode())


def number(value_ms: float) -> str:
    """Milliseconds as people write them: three digits that matter, thousands with a comma."""
    magnitude = abs(value_ms)
    if magnitude >= 100:
        return f"{value_ms:,.0f} ms"
    return f"{value_ms:.1f} ms" if magnitude >= 10 else f"{value_ms:.2f} ms"


def between(interval_ms: tuple[float, float]) -> str:
    return f"{number(interval_ms[0])} to {number(interval_ms[1])}"


def percent(rate: float) -> str:
    shown = 100 * rate
    return f"{shown:.0f} %" if shown >= 10 or shown == int(shown) else f"{shown:.2g} %"
