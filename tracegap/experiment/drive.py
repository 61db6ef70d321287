"""The phases of a plan, one after the other: load, faults, misbehaviour, and the time each of them really had."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from faults.injector import Injector
from faults.plan import Phase, Plan
from tracegap.errors import PartFailed
from tracegap.experiment.steadiness import AbortWatch, unsteady
from tracegap.experiment.traffic import Traffic
from tracegap.experiment.windows import Begun, Window, windows
from tracegap.experiment.words import phase_in_words
from tracegap.progress import Counts, RunProgress
from tracegap.stack.stack import Stack

__all__ = ["drive"]

TICK_S = 0.25


def drive(plan: Plan, stack: Stack, traffic: Traffic, injector: Injector, progress: RunProgress) -> tuple[Window, ...]:
    """Drive all phases of the plan with load that is already there; returns the windows that they had.

    Raises:
        PartFailed: a part died, the system was not well before the first fault, or the plan's abort condition held.
        FaultsError: a fault could not be injected or removed. In every case nothing is left injected.
    """
    begun = _Drive(plan, stack, traffic, injector, progress).run()
    return windows(begun, time.time_ns(), round(plan.settle_s * 1e9))


class _Drive:
    def __init__(self, plan: Plan, stack: Stack, traffic: Traffic, injector: Injector, progress: RunProgress) -> None:
        self._plan = plan
        self._stack = stack
        self._traffic = traffic
        self._injector = injector
        self._progress = progress
        self._abort = AbortWatch(plan.abort) if plan.abort is not None else None
        self._baselines = plan.baselines()

    def run(self) -> tuple[Begun, ...]:
        self._wait("warm-up", self._plan.warmup_s)
        warm = self._traffic.counts()
        begun: list[Begun] = []
        load = self._plan.load
        hurt = False
        for phase in self._plan.phases:
            wanted = phase.load or self._plan.load
            if wanted != load:
                self._traffic.set_load(wanted)
                load = wanted
            if not phase.quiet and not hurt:
                self._check_steady(warm)
                hurt = True
            begun.append(self._phase(phase))
        return tuple(begun)

    def _phase(self, phase: Phase) -> Begun:
        with self._injector.phase(phase), misbehaving(self._stack.misbehave_file, phase):
            begin_ns = time.time_ns()
            self._wait(phase.name, phase.duration_s, phase_in_words(phase))
        if not phase.quiet:
            self._wait("settling", self._plan.settle_s)
        return Begun(phase.name, phase.name in self._baselines, begin_ns)

    def _check_steady(self, warm: Counts) -> None:
        now = self._traffic.counts()
        reason = unsteady(self._plan.steady_state, warm, now)
        if reason is not None:
            raise PartFailed(f"the system is not in its steady state, so nothing was injected: {reason}")

    def _wait(self, name: str, duration_s: float, what: str = "") -> None:
        """Let time pass, watching the parts and the load."""
        self._progress.begin(name, duration_s, what)
        start_s = time.monotonic()
        while (elapsed_s := time.monotonic() - start_s) < duration_s:
            time.sleep(min(TICK_S, duration_s - elapsed_s))
            self._stack.supervisor.check()
            counts = self._traffic.counts()
            self._progress.tick(time.monotonic() - start_s, duration_s, counts)
            if self._abort is not None:
                reason = self._abort.broken(time.monotonic(), counts)
                if reason is not None:
                    raise PartFailed(f"the plan's abort condition held in {name}: {reason}")


@contextlib.contextmanager
def misbehaving(file: Path, phase: Phase) -> Iterator[None]:
    """Tell the services what to do wrong for as long as the block runs."""
    if not phase.shop:
        yield
        return
    try:
        _tell(file, {service: wrong.told() for service, wrong in phase.shop.items()})
        yield
    finally:
        _tell(file, {})


def _tell(file: Path, behaviours: object) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(behaviours))
    part.replace(file)
