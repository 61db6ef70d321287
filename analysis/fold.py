"""Symptoms into causes: of findings that tell one story, the one that the others follow from stays.

The rules stand in one ordered list. Each takes and returns drafts; a draft that goes leaves its name with the one
that explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.compare_frame import Hops
from analysis.findings import Draft
from analysis.fold_failures import (
    errors_of_one_service,
    failures_of_unfinished_work,
    hangs_of_slow_places,
    side_effects_of_failures,
    torn_messages,
    unseen_messages,
    work_done_before,
)
from analysis.fold_parts import hops_of_one_part
from analysis.fold_times import (
    backlogs,
    hops_around_a_busy_service,
    one_finding_per_hop,
    own_time_around_a_slow_hop,
)

__all__ = ["System", "fold"]


@dataclass(frozen=True)
class System:
    """Who calls whom, as the traces show it."""

    hops: Hops

    @cached_property
    def callees(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for place in self.hops.places:
            found.setdefault(place.caller, set()).add(place.callee)
        return found

    @cached_property
    def callers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for place in self.hops.places:
            found.setdefault(place.callee, set()).add(place.caller)
        return found

    @cached_property
    def broker_of(self) -> dict[str, str]:
        """Message hops by name, and the system that carries them."""
        named = zip(self.hops.places, self.hops.brokers, strict=True)
        return {place.name: broker for place, broker in named if place.kind == "message" and broker}

    def below(self, service: str) -> set[str]:
        """The service and all that it calls, directly or not."""
        seen, todo = {service}, [service]
        while todo:
            for callee in self.callees.get(todo.pop(), set()) - seen:
                seen.add(callee)
                todo.append(callee)
        return seen


Rule = Callable[[Sequence[Draft], System], list[Draft]]

RULES: tuple[Rule, ...] = (
    errors_of_one_service,  # first: later rules expect one draft per failing service
    torn_messages,
    unseen_messages,
    work_done_before,  # before an early return could explain the failures around it
    failures_of_unfinished_work,
    one_finding_per_hop,
    hangs_of_slow_places,
    backlogs,  # before a queue could make its consumer look as if all its hops were slow
    hops_around_a_busy_service,
    own_time_around_a_slow_hop,  # after the service had its chance to be the cause
    hops_of_one_part,  # needs the hops that stand for themselves
    side_effects_of_failures,
)


def fold(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """The causes among drafts of one comparison. O(drafts^2) at worst; drafts are few."""
    folded = sorted(drafts, key=lambda d: (-d.cost_ms, d.place.name, d.finding.cause))
    for rule in RULES:
        folded = rule(folded, system)
    return folded
