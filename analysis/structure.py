"""How traces are built: hops they used to have and lack now, new ones, services that answer without doing their work.

Only services that claim success are held to their usual hops: one that failed, was refused or lost a callee has a
reason for doing less, and that reason is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    table = _tabulate(comparison, presence)
    effects: list[StructureEffect] = []
    missing: dict[tuple[int, int], list[StructureEffect]] = {}
    expected: dict[tuple[int, int], int] = {}
    for k, r in table.candidates:
        caller = int(table.caller[k])
        if table.belongs[k, r]:
            expected[caller, r] = expected.get((caller, r), 0) + 1
        effect = _judge(comparison, presence, table, k, r)
        if effect is not None and effect.kind == "missing_hop":
            missing.setdefault((caller, r), []).append(effect)
        elif effect is not None:
            effects.append(effect)
    for (caller, r), of_caller in missing.items():
        name = presence.services[caller]
        effects += _early_or_missing(name, roots.names[r], of_caller, expected[caller, r])
    return _merged(effects)


@dataclass(frozen=True)
class _Table:
    """Traces that have each place, of those in which its caller did its work: arrays (places, roots) per side."""

    caller: Ints  # service of each place
    has: Mapping[int, Ints]
    able: Mapping[int, Ints]
    belongs: Flags
    candidates: list[tuple[int, int]]  # places and roots worth a look


def _tabulate(comparison: Comparison, presence: _Presence) -> _Table:
    hops, roots = comparison.frame.hops, comparison.frame.roots
    number = {name: i for i, name in enumerate(presence.services)}
    caller = np.array([number[p.caller] for p in hops.places], dtype=np.int64)
    places, n_roots = len(hops.places), len(roots.names)
    side, root = comparison.side[presence.chosen], roots.root[presence.chosen]
    served = presence.served[caller[presence.place], presence.trace]
    pairs, _ = dense(presence.place[served] * len(presence.chosen) + presence.trace[served])
    place, trace = pairs // len(presence.chosen), pairs % len(presence.chosen)
    has, able = {}, {}
    for s in (BASELINE, CURRENT):
        of = side[trace] == s
        cells = np.bincount(place[of] * n_roots + root[trace[of]], minlength=places * n_roots)
        has[s] = cells.reshape(places, n_roots)
        service, column = np.nonzero(presence.served & (side == s))
        counts = np.bincount(service * n_roots + root[column], minlength=len(presence.services) * n_roots)
        able[s] = counts.reshape(-1, n_roots)[caller]
    enough = (able[BASELINE] >= FEWEST_BASE) & (able[CURRENT] >= FEWEST_CURRENT)
    belongs = enough & (has[BASELINE] >= ALWAYS * able[BASELINE])
    fresh = enough & (has[BASELINE] == 0) & (has[CURRENT] > 0)
    candidates = [(int(k), int(r)) for k, r in zip(*np.nonzero(belongs | fresh), strict=True)]
    return _Table(caller, has, able, belongs, candidates)


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


def _judge(comparison: Comparison, presence: _Presence, table: _Table, k: int, r: int) -> StructureEffect | None:
    base_has, base = int(table.has[BASELINE][k, r]), int(table.able[BASELINE][k, r])
    has, now = int(table.has[CURRENT][k, r]), int(table.able[CURRENT][k, r])
    before, after = base_has / base, has / now
    place, root = comparison.frame.hops.places[k], comparison.frame.roots.names[r]
    if before >= ALWAYS and before - after >= LEAST_DROP:
        p = fisher_greater(base - base_has, base, now - has, now)
        text = (
            f"{now - has:,} of {now:,} traces of {root} in which {place.caller} did its work have no {place.name}; "
            f"in the baseline {percent(before)} have it."
        )
        kind, present = "missing_hop", False
    elif base_has == 0 and after >= LEAST_NEW:
        p = fisher_greater(0, base, has, now)
        text = f"{has:,} of {now:,} traces of {root} have {place.name}, which no trace of the baseline has."
        kind, present = "new_hop", True
    else:
        return None
    if p > SIGNIFICANCE:
        return None
    return StructureEffect(place, kind, _traces(comparison, presence, table, (k, r), present=present), now, p, text)


def _traces(
    comparison: Comparison, presence: _Presence, table: _Table, cell: tuple[int, int], *, present: bool
) -> Ints:
    """Traces of the current side in which the caller did its work, with or without the hop."""
    k, r = cell
    has = np.zeros(len(presence.chosen), dtype=bool)
    has[presence.trace[presence.place == k]] = True
    side, root = comparison.side[presence.chosen], comparison.frame.roots.root[presence.chosen]
    of = presence.served[table.caller[k]] & (side == CURRENT) & (root == r)
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
