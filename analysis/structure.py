"""How traces are built: hops they used to have and lack now, new ones, services that answer without doing their work.

Only services that claim success are held to their usual hops: one that failed, was refused or lost a callee has a
reason for doing less, and that reason is a finding of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.compare_frame import Flags, Ints, Place, dense
from analysis.compare_samples import BASELINE, CURRENT, ROWS_PER_PLACE, Comparison
from analysis.effects import StructureEffect
from analysis.findings import percent
from analysis.statistics_rates import fisher_greater

__all__ = ["structure_effects"]

ALWAYS = 0.9
"""A hop that this part of the baseline's traces has is one that belongs there."""
LEAST_DROP = 0.02
LEAST_NEW = 0.05
FEWEST_BASE, FEWEST_CURRENT = 10, 4
SIGNIFICANCE = 1e-3
_TABLE_CELLS = 100_000_000


@dataclass(frozen=True)
class _Presence:
    """Which services did their work in which traces, and which hops those traces have."""

    services: tuple[str, ...]
    chosen: Ints  # traces looked at
    served: Flags  # (services, chosen): the service claims success in this trace
    place: Ints  # hop crossings of those traces: place, and index into chosen
    trace: Ints


def structure_effects(comparison: Comparison) -> list[StructureEffect]:
    """Missing hops (a service that lost all of its hops returned early) and new ones. O(rows)."""
    if not comparison.traces(BASELINE).any() or not comparison.traces(CURRENT).any():
        return []
    presence = _presence(comparison)
    roots = comparison.frame.roots
    effects: list[StructureEffect] = []
    missing: dict[tuple[int, int], list[StructureEffect]] = {}
    expected: dict[tuple[int, int], int] = {}
    for cell in _cells(comparison, presence):
        who = cell.caller, cell.root
        expected[who] = expected.get(who, 0) + cell.belongs
        effect = _judge(comparison, presence, cell)
        if effect is not None and effect.kind == "missing_hop":
            missing.setdefault(who, []).append(effect)
        elif effect is not None:
            effects.append(effect)
    for (caller, r), of_caller in missing.items():
        name = presence.services[caller]
        effects += _early_or_missing(name, roots.names[r], of_caller, expected[caller, r])
    return _merged(effects)


@dataclass(frozen=True)
class _Cell:
    """A place in traces of one root operation: how many have it, of those in which its caller did its work."""

    place: int
    caller: int  # in _Presence.services
    root: int
    base_has: int
    base: int
    has: int
    now: int

    @property
    def belongs(self) -> bool:
        return self.base_has >= ALWAYS * self.base


def _cells(comparison: Comparison, presence: _Presence) -> list[_Cell]:
    """Cells worth a look: hops that belong to their traces, and hops that the baseline never had."""
    hops, roots = comparison.frame.hops, comparison.frame.roots
    number = {name: i for i, name in enumerate(presence.services)}
    caller = np.array([number[p.caller] for p in hops.places], dtype=np.int64)
    n, chosen = len(roots.names), len(presence.chosen)
    side, root = comparison.side[presence.chosen], roots.root[presence.chosen].astype(np.int64)
    served = presence.served[caller[presence.place], presence.trace]
    pairs, _ = dense(presence.place[served] * chosen + presence.trace[served])
    place, trace = pairs // max(chosen, 1), pairs % max(chosen, 1)
    keys, cell = dense(place * n + root[trace])
    service, column = np.nonzero(presence.served)
    able, of_able = dense(service * n + root[column])
    wanted = np.searchsorted(able, caller[keys // n] * n + keys % n)
    counts = []
    for s in (BASELINE, CURRENT):
        counts.append(np.bincount(cell[side[trace] == s], minlength=len(keys)))
        counts.append(np.bincount(of_able[side[column] == s], minlength=len(able))[wanted])
    base_has, base, has, now = counts
    enough = (base >= FEWEST_BASE) & (now >= FEWEST_CURRENT)
    look = enough & ((base_has >= ALWAYS * base) | ((base_has == 0) & (has > 0)))
    return [
        _Cell(int(keys[i] // n), int(caller[keys[i] // n]), int(keys[i] % n), *(int(c[i]) for c in counts))
        for i in np.flatnonzero(look)
    ]


def _presence(comparison: Comparison) -> _Presence:
    hops, roots = comparison.frame.hops, comparison.frame.roots
    names = {p.caller for p in hops.places} | {p.callee for p in hops.places} | set(roots.services)
    services = tuple(sorted(names))
    number = {name: i for i, name in enumerate(services)}
    chosen = _chosen(comparison, len(services))
    local = np.full(len(comparison.side), -1, dtype=np.int64)
    local[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(local[hops.trace] >= 0)
    trace, place = local[hops.trace[rows]], hops.place[rows].astype(np.int64)
    caller = np.array([number[p.caller] for p in hops.places], dtype=np.int64)
    callee = np.array([number[p.callee] for p in hops.places], dtype=np.int64)
    served = np.zeros((len(services), len(chosen)), dtype=bool)
    of_root = np.array([number[s] for s in roots.services], dtype=np.int64)
    well = ~(roots.failed | roots.refused)[chosen]
    served[of_root[roots.root[chosen[well]]], np.flatnonzero(well)] = True
    bad = (hops.failure[rows] > 0) | hops.refused[rows]
    good = hops.arrived[rows] & ~bad
    served[callee[place[good]], trace[good]] = True
    served[callee[place[bad]], trace[bad]] = False
    # A caller whose message is lost has done its part.
    message = np.array([p.kind == "message" for p in hops.places], dtype=bool)
    stopped = bad & ~message[place]
    served[caller[place[stopped]], trace[stopped]] = False
    return _Presence(services, chosen, served, place, trace)


def _chosen(comparison: Comparison, services: int) -> Ints:
    """All compared traces, or of each root operation those with the smallest hashes when there are many."""
    rows = np.flatnonzero(comparison.side > 0)
    cell = comparison.frame.roots.root[rows].astype(np.int64) * 3 + comparison.side[rows]
    count = np.bincount(cell)
    most = min(ROWS_PER_PLACE, max(1_000, _TABLE_CELLS // max(services, 1) // max(int((count > 0).sum()), 1)))
    if count.max(initial=0) <= most:
        return rows
    dice = comparison.mixed_hash[rows].astype(np.float64) / 2.0**64
    return np.asarray(rows[dice <= (most / np.maximum(count, 1))[cell]])


def _judge(comparison: Comparison, presence: _Presence, cell: _Cell) -> StructureEffect | None:
    before, after = cell.base_has / cell.base, cell.has / cell.now
    place, root = comparison.frame.hops.places[cell.place], comparison.frame.roots.names[cell.root]
    if cell.belongs and before - after >= LEAST_DROP:
        lacking = cell.now - cell.has
        p = fisher_greater(cell.base - cell.base_has, cell.base, lacking, cell.now)
        text = (
            f"{lacking:,} of {cell.now:,} traces of {root} in which {place.caller} did its work have no {place.name}; "
            f"in the baseline {percent(before)} have it."
        )
        kind, present = "missing_hop", False
    elif cell.base_has == 0 and after >= LEAST_NEW:
        p = fisher_greater(0, cell.base, cell.has, cell.now)
        text = f"{cell.has:,} of {cell.now:,} traces of {root} have {place.name}, which no trace of the baseline has."
        kind, present = "new_hop", True
    else:
        return None
    if p > SIGNIFICANCE:
        return None
    return StructureEffect(place, kind, _traces(comparison, presence, cell, present=present), cell.now, p, text)


def _traces(comparison: Comparison, presence: _Presence, cell: _Cell, *, present: bool) -> Ints:
    """Traces of the current side in which the caller did its work, with or without the hop."""
    has = np.zeros(len(presence.chosen), dtype=bool)
    has[presence.trace[presence.place == cell.place]] = True
    side, root = comparison.side[presence.chosen], comparison.frame.roots.root[presence.chosen]
    of = presence.served[cell.caller] & (side == CURRENT) & (root == cell.root)
    return np.asarray(presence.chosen[of & (has == present)])


def _early_or_missing(caller: str, root: str, missing: list[StructureEffect], expected: int) -> list[StructureEffect]:
    """A service that stopped making all of its calls at once answers without doing its work."""
    if len(missing) < expected:
        return missing
    shared = missing[0].traces
    for effect in missing[1:]:
        shared = np.intersect1d(shared, effect.traces)
    fewest, most = min(len(e.traces) for e in missing), max(len(e.traces) for e in missing)
    if len(shared) < 0.8 * most:
        return missing
    names = ", ".join(sorted(e.place.name for e in missing))
    text = (
        f"{caller} answered {fewest:,} of {missing[0].total:,} traces of {root} early: it said all was well, and made "
        f"none of its usual calls ({names})."
    )
    place = Place("own", caller, caller)
    return [StructureEffect(place, "early_return", shared, missing[0].total, min(e.p for e in missing), text)]


def _merged(effects: list[StructureEffect]) -> list[StructureEffect]:
    """One effect per place and kind, over all root operations: the summary is that of the one with most traces."""
    groups: dict[tuple[str, str], list[StructureEffect]] = {}
    for effect in effects:
        groups.setdefault((effect.place.name, effect.kind), []).append(effect)
    merged = []
    for of_place in groups.values():
        main = max(of_place, key=lambda e: (len(e.traces), e.summary))
        traces = np.unique(np.concatenate([e.traces for e in of_place]))
        total = sum(e.total for e in of_place)
        merged.append(StructureEffect(main.place, main.kind, traces, total, min(e.p for e in of_place), main.summary))
    return merged
