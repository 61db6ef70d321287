"""Locust as a part of the stack: started headless, told how much load, asked what it has done."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

from faults.plan import Load
from tracegap.errors import PartFailed
from tracegap.progress import Counts
from tracegap.run_directory import RunDirectory
from tracegap.stack.description import GENERATOR
from tracegap.stack.environment import base_environment, service_environment
from tracegap.stack.stack import Stack
from tracegap.stack.supervisor import Process

__all__ = ["Traffic"]

STOP_GRACE_S = 10.0


class Traffic:
    """The load generator of one run.

    It looks at a schedule file for the load it should make, and keeps a progress file; so the run needs no connection
    to it, and Locust's own event loop stays its own.
    """

    def __init__(self, stack: Stack, directory: RunDirectory, *, seed: int) -> None:
        self._stack = stack
        self._directory = directory
        self._seed = seed

    def start(self) -> None:
        """Start Locust; it makes no load before it is told to. Raises PartFailed when it cannot be executed."""
        scenario = importlib.util.find_spec("scenarios.checkout")
        if scenario is None or scenario.origin is None:
            raise PartFailed("locust has no scenario: the package scenarios is not installed whole")
        command = (
            *(sys.executable, "-P", "-m", "locust", "-f", scenario.origin, "--headless"),
            *("--host", self._stack.gateway_url, "--csv", str((self._directory.path / GENERATOR).absolute())),
            *("--only-summary", "--loglevel", "WARNING"),
        )
        environment = {
            **base_environment(),
            **service_environment(GENERATOR, self._stack.otlp_http_url),
            "SCENARIO_SCHEDULE": str(self._directory.schedule.absolute()),
            "SCENARIO_PROGRESS": str(self._directory.progress.absolute()),
            "SCENARIO_SEED": str(self._seed),
        }
        self._stack.supervisor.start(Process(GENERATOR, command, environment, self._directory.path))

    def set_load(self, load: Load) -> None:
        """From now on (a second later at most)."""
        _write(self._directory.schedule, json.dumps({"users": load.users, "spawn_rate": load.spawn_rate}))

    def counts(self) -> Counts:
        """What it has done so far; nothing before its first report."""
        try:
            done = json.loads(self._directory.progress.read_text())
        except (OSError, ValueError):
            return Counts()
        return Counts(int(done["requests"]), int(done["failures"]), int(done["users"]), done.get("p95_ms"))

    def stop(self) -> None:
        """No new journeys; those on their way may end."""
        self._stack.supervisor.stop([GENERATOR], STOP_GRACE_S)


def _write(path: Path, text: str) -> None:
    """In one step, for a reader that may look at any moment."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)
