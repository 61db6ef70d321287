"""A stack that `tracegap up` keeps running, as other commands find it: `stack.json` in its run directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tracegap.run_directory import RunDirectory

__all__ = ["RunningStack", "running_stacks"]


@dataclass(frozen=True, slots=True)
class RunningStack:
    pid: int
    created_s: float  # when the process was created: a process id alone may have been given to somebody else since
    directory: str
    gateway: str
    toxiproxy: str
    otlp_http: str
    otlp_grpc: str

    def write(self) -> None:
        file = RunDirectory(Path(self.directory)).stack
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=2) + "\n")
        part.replace(file)

    @property
    def process(self) -> psutil.Process | None:
        """The `tracegap up` that keeps it; None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_s) < 1
            # A zombie has ended, and only waits for a parent that may never ask.
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def running_stacks(runs: Path) -> Iterator[RunningStack]:
    """The stacks that `tracegap up` keeps running below this directory of runs, oldest first."""
    for file in sorted(runs.glob("*/stack.json")):
        if file.parent.is_symlink():
            continue
        try:
            stack = RunningStack(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            continue  # half written by a process that was killed: nobody keeps that stack running
        if stack.process is not None:
            yield stack
