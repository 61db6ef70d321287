"""Which traces belong to which phase: windows of time that touch each other. Pure.

A trace belongs to the phase in which its root started, but a fault also meets traces that were on their way when it
came, and its consequences (a consumer that has to reconnect) outlast it by a moment. So that every one of them counts
for the phase that caused it, a phase's window begins half a settling time before its faults do, in traffic that
nothing was done to, and lasts until the next one's begins; after a phase with faults the run lets traffic settle for
that long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Begun", "Window", "windows"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A phase that was driven; its faults were there from `begin_ns` on."""

    name: str
    baseline: bool
    begin_ns: int


@dataclass(frozen=True, slots=True)
class Window:
    """One entry of phases.json: what the analysis may know of a phase."""

    name: str
    start_ns: int
    end_ns: int
    baseline: bool


def windows(begun: Sequence[Begun], end_ns: int, settle_ns: int) -> tuple[Window, ...]:
    """The windows of these phases, in their order.

    Args:
        end_ns: when the last phase, and the settling after it, was over.
        settle_ns: how long traffic settled between phases; the first window is not moved, before it is the warm-up.
    """
    starts = [phase.begin_ns - (settle_ns // 2 if number else 0) for number, phase in enumerate(begun)]
    ends = [*starts[1:], end_ns]
    return tuple(
        Window(phase.name, start_ns, stop_ns, phase.baseline)
        for phase, start_ns, stop_ns in zip(begun, starts, ends, strict=True)
    )
