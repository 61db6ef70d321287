"""A whole experiment: stack up, load on, phases driven, drained, stopped, and all of it kept in the run directory."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from faults.errors import FaultsError
from faults.injector import Injector
from faults.ledger import Ledger
from faults.plan import Plan
from faults.probe import PROBES
from faults.toxiproxy import Toxiproxy
from faults.watchdog import Watchdog
from tracegap.errors import PartFailed
from tracegap.experiment.drive import drive
from tracegap.experiment.outcome import paid_and_not_shipped
from tracegap.experiment.traffic import Traffic
from tracegap.experiment.windows import Window
from tracegap.progress import Counts, RunProgress
from tracegap.run_directory import RunDirectory
from tracegap.stack.description import LINKS
from tracegap.stack.stack import Stack, StackOptions

__all__ = ["Outcome", "perform"]

FIRST_LOAD_WITHIN_S = 30.0
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the run knows besides the traces; `outcome.json`."""

    paid_and_not_shipped: int  # orders in the database at the end of the drain
    requests: int
    failures: int
    start_s: float  # from the beginning until the first request


def perform(plan: Plan, directory: RunDirectory, options: StackOptions, progress: RunProgress) -> Outcome:
    """Run the plan. When this returns or raises, no part runs and nothing is injected.

    Raises:
        PartFailed: a part could not be started or died; the system was not steady; the plan's abort condition held.
        UnusableInput: the Toxiproxy that was asked for cannot be used.
    """
    began_s = time.monotonic()
    with Stack(directory.path, options) as stack:
        progress.begin("starting", None)
        traffic = Traffic(stack, directory, seed=plan.seed)
        stack.start(on_ready=lambda part: progress.note(f"{part} is ready"), on_links=traffic.start)
        directory.write_peers(stack.address_book())
        traffic.set_load(plan.load)
        _await_first_load(stack, traffic, progress)
        start_s = time.monotonic() - began_s
        try:
            driven = _with_faults(plan, stack, traffic, directory, progress)
        except FaultsError as error:
            raise PartFailed(str(error)) from error
        progress.begin("ending load", None, "journeys on their way may end")
        traffic.stop()
        counts = traffic.counts()
        _drain(plan.drain_s, stack, progress, counts)
        _write_phases(directory.phases, driven)
        outcome = Outcome(paid_and_not_shipped(stack.database_url), counts.requests, counts.failures, start_s)
        directory.outcome.write_text(json.dumps(asdict(outcome)) + "\n")
        progress.begin("stopping", None)
        stack.stop_services()
        stack.stop()
    return outcome


def _with_faults(
    plan: Plan, stack: Stack, traffic: Traffic, directory: RunDirectory, progress: RunProgress
) -> tuple[Window, ...]:
    toxiproxy = Toxiproxy(stack.toxiproxy_url)
    probes = {link.name: PROBES[link.protocol] for link in LINKS}
    with (
        Ledger(directory.ledger) as ledger,
        Watchdog(stack.toxiproxy_url, directory.ledger) as watchdog,
        Injector(toxiproxy, ledger, plan, probes=probes, watchdog=watchdog) as injector,
    ):
        return drive(plan, stack, traffic, injector, progress)


def _await_first_load(stack: Stack, traffic: Traffic, progress: RunProgress) -> None:
    deadline_s = time.monotonic() + FIRST_LOAD_WITHIN_S
    while not traffic.counts().requests:
        stack.supervisor.check()
        if time.monotonic() > deadline_s:
            raise PartFailed(f"locust made no request within {FIRST_LOAD_WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)
    progress.note("load has begun")


def _drain(duration_s: float, stack: Stack, progress: RunProgress, counts: Counts) -> None:
    progress.begin("drain", duration_s, "messages on their way arrive")
    start_s = time.monotonic()
    while (elapsed_s := time.monotonic() - start_s) < duration_s:
        time.sleep(min(LOOK_EVERY_S, duration_s - elapsed_s))
        stack.supervisor.check()
        progress.tick(time.monotonic() - start_s, duration_s, counts)


def _write_phases(file: Path, driven: tuple[Window, ...]) -> None:
    file.write_text(json.dumps({"phases": [asdict(window) for window in driven]}, indent=2) + "\n")
