"""Watching one fault through its link: how conversations went before it, that it is felt, that it is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.effects import Effect, Injected, deadline_s, demand, invisible, is_felt, judge
from faults.probe import Exchange, Probe, exchange

__all__ = ["Unseen", "Watch"]

BEFORE = 3
ENOUGH_FELT = 3
ENOUGH_WITH_JITTER = 8
GONE_AFTER_QUIET = 1
GONE_AFTER_QUIET_SOME = 5
"""Conversations in a row without the fault that show that it is gone; more where it met only some connections."""

CHANCE = 0.01
"""A fault on some of the connections counts as absent when missing it by chance is less likely than this."""

PAUSE_S = 0.1
USUAL_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class Unseen:
    """A fault that no conversation showed: it took no effect (False), or nobody can tell (None), and why."""

    took_effect: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Watch:
    """One fault's link and what to look for. Every method blocks for the length of its conversations.

    Args:
        address: the proxy's listen address.
        probe: how to talk through it.
        toxicity: share of the connections that show the fault.
        changes: whether the fault changes while it is there (a ramp).
    """

    address: tuple[str, int]
    probe: Probe
    toxicity: float = 1.0
    changes: bool = False

    def before(self, injected: Injected) -> tuple[Exchange, ...]:
        """Answered conversations without the fault; empty when the link does not answer."""
        found = [self._talk(injected, USUAL_DEADLINE_S) for _ in range(BEFORE)]
        return tuple(one for one in found if one.outcome == "answered")

    def until_seen(
        self,
        current: Callable[[], Injected],
        before: tuple[Exchange, ...],
        ended: threading.Event,
        report: Callable[[Effect], None],
    ) -> Unseen | None:
        """Talk until the fault is measured, or its time is over.

        Args:
            current: the fault as it is now; one that changes is measured again after each change.
            before: what `before` found.
            ended: set when the fault's time is over.
            report: called when the fault is seen, and again with each better measurement.

        Returns:
            Why it was not seen; None when it was.
        """
        if not before:
            return Unseen(None, "the link did not answer before the fault")
        during: list[Exchange] = []
        fruitless = 0
        watched = current()
        seen = False
        unseen: Unseen | None = None
        while not ended.is_set():
            injected = current()
            if injected != watched:
                during, watched = [], injected
            cannot = invisible(injected, before[-1])
            if cannot is not None:
                unseen = unseen or Unseen(None, cannot)
            else:
                during.append(self._talk(injected, deadline_s(injected, before[-1])))
                if ended.is_set():
                    break  # it may have been set free in the middle of this conversation
                effect = judge(injected, before, during)
                fruitless += not effect.felt
                unseen = self._unseen(fruitless)
                if effect.felt:
                    seen = True
                    report(effect)
                    if not self.changes and _enough(injected, effect, during):
                        return None
            ended.wait(PAUSE_S)
        return None if seen else unseen or Unseen(None, "it was over before a conversation could show it")

    def until_gone(self, injected: Injected, before: tuple[Exchange, ...], within_s: float) -> int | None:
        """Time (ns since 1970) of the first of the conversations that show the link well again; None: it was not."""
        if not before:
            return None
        needed = GONE_AFTER_QUIET if self.toxicity == 1 else GONE_AFTER_QUIET_SOME
        quiet, since_ns = 0, 0
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            one = self._talk(injected, USUAL_DEADLINE_S)
            if one.outcome == "answered" and not is_felt(injected, before[-1], one):
                since_ns = since_ns or time.time_ns()
                quiet += 1
                if quiet >= needed:
                    return since_ns
            else:
                quiet, since_ns = 0, 0
                time.sleep(PAUSE_S / 4)
        return None

    def _unseen(self, fruitless: int) -> Unseen:
        if (1 - self.toxicity) ** fruitless > CHANCE:
            return Unseen(
                None, f"it meets only {self.toxicity:.0%} of the connections, and {fruitless} did not meet it"
            )
        return Unseen(took_effect=False, reason=f"{fruitless} conversations through the link, and none showed it")

    def _talk(self, injected: Injected, deadline: float) -> Exchange:
        wanted = demand(injected)
        return exchange(
            self.address,
            self.probe,
            volume_bytes=wanted.volume_bytes,
            deadline_s=deadline,
            until_closed=wanted.until_closed,
        )


def _enough(injected: Injected, effect: Effect, during: list[Exchange]) -> bool:
    if injected.attributes.get("jitter"):
        return len(during) >= ENOUGH_WITH_JITTER
    return effect.measured is None or effect.felt >= ENOUGH_FELT
