"""When each fault of a phase begins and ends: repetition and random choice, worked out before anything is injected.

Pure: the same plan and seed give the same schedule.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.plan import Phase
from faults.toxics import Choice, Cut, DropFirstConnections, Fault, Toxic

__all__ = ["Episode", "adjustments", "episodes", "overlapping"]

MOST_ADJUSTMENTS = 50
FASTEST_ADJUSTMENT_S = 0.2


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of time in which one fault is there; seconds since the phase began."""

    id: str  # `slow-payment.0`, or `slow-payment.0.3` for the fourth time of a repeated one
    fault: Toxic | Cut | DropFirstConnections
    start_s: float
    end_s: float


def episodes(phase: Phase, seed: int) -> tuple[Episode, ...]:
    """Every stretch of every fault of the phase, by the time it begins."""
    found: list[Episode] = []
    for number, fault in enumerate(phase.faults):
        # A generator for each fault: editing one fault of a plan does not change what is drawn for the others.
        draw = random.Random(f"{seed}/{phase.name}/{number}")
        stretches = list(_stretches(fault, 0.0, phase.duration_s, draw))
        for turn, (drawn, start_s, end_s) in enumerate(stretches):
            name = f"{phase.name}.{number}" if len(stretches) == 1 else f"{phase.name}.{number}.{turn}"
            found.append(Episode(name, drawn, start_s, end_s))
    return tuple(sorted(found, key=lambda episode: episode.start_s))


def _stretches(
    fault: Fault, start_s: float, end_s: float, draw: random.Random
) -> Iterator[tuple[Toxic | Cut | DropFirstConnections, float, float]]:
    if isinstance(fault, Choice):
        for turn_start_s, turn_end_s in _turns(start_s, end_s, fault.every_s):
            yield from _stretches(draw.choice(fault.choose), turn_start_s, turn_end_s, draw)
        return
    assert isinstance(fault, Toxic | Cut | DropFirstConnections)
    if fault.repeat is None:
        yield fault, start_s, end_s
        return
    for turn_start_s, turn_end_s in _turns(start_s, end_s, fault.repeat.every_s):
        yield fault, turn_start_s, min(turn_start_s + fault.repeat.lasting_s, turn_end_s)


def _turns(start_s: float, end_s: float, every_s: float | None) -> Iterator[tuple[float, float]]:
    if every_s is None:
        yield start_s, end_s
        return
    # Counted and not summed up, so that the hundredth turn begins when it should.
    for turn in range(math.ceil((end_s - start_s) / every_s - 1e-9)):
        yield start_s + turn * every_s, min(start_s + (turn + 1) * every_s, end_s)


def adjustments(episode: Episode) -> tuple[tuple[float, dict[str, int]], ...]:
    """Steps of the fault's ramps: seconds since the phase began, and the attributes from then on.

    Only steps that change something; empty for a fault without ramps. The first is after the episode's beginning.
    """
    fault = episode.fault
    if not isinstance(fault, Toxic) or not fault.ramps:
        return ()
    length_s = episode.end_s - episode.start_s
    count = max(1, min(MOST_ADJUSTMENTS, int(length_s / FASTEST_ADJUSTMENT_S)))
    steps = []
    latest = fault.wire(0.0)
    for step in range(1, count + 1):
        attributes = fault.wire(step / count)
        if attributes != latest:
            steps.append((episode.start_s + length_s * step / (count + 1), attributes))
            latest = attributes
    return tuple(steps)


def overlapping(episode: Episode, planned: Sequence[Episode]) -> tuple[Episode, ...]:
    """The other episodes on the same link that share some of its time."""
    return tuple(
        other
        for other in planned
        if other.id != episode.id
        and other.fault.link == episode.fault.link
        and other.start_s < episode.end_s
        and episode.start_s < other.end_s
    )
