"""Where a run keeps its files."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tracegap.errors import UnusableInput

__all__ = ["RunDirectory", "make_run_directory"]

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Names of the files of one run; docs/running.md says what is in them."""

    path: Path

    @property
    def plan(self) -> Path:
        return self.path / "plan.yaml"

    def keep_plan(self, source: Path, changed_by: Sequence[str] = ()) -> None:
        """Copy the plan as its author wrote it; `changed_by`: options that overrule it, as a comment."""
        note = f"# run with {' '.join(changed_by)}\n" if changed_by else ""
        self.plan.write_text(note + source.read_text(encoding="utf-8-sig"), encoding="utf-8")

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def phases(self) -> Path:
        return self.path / "phases.json"

    @property
    def peers(self) -> Path:
        return self.path / "peers.json"

    def write_peers(self, address_book: Mapping[str, str]) -> None:
        self.peers.write_text(json.dumps(address_book, indent=2) + "\n")

    @property
    def otlp(self) -> Path:
        return self.path / "otlp"

    @property
    def parts(self) -> Path:
        return self.path / "parts"

    @property
    def stack(self) -> Path:
        """Addresses of a stack that `tracegap up` keeps running."""
        return self.path / "stack.json"

    @property
    def schedule(self) -> Path:
        """What the load generator is asked to do, written by the run."""
        return self.path / "schedule.json"

    @property
    def progress(self) -> Path:
        """What the load generator has done so far, written by it."""
        return self.path / "progress.json"

    @property
    def outcome(self) -> Path:
        """What the run knows besides the traces: requests, failures, what the database says."""
        return self.path / "outcome.json"

    @property
    def spans(self) -> Path:
        return self.path / "spans.parquet"

    @property
    def logs(self) -> Path:
        return self.path / "logs.parquet"

    def report(self, suffix: str) -> Path:
        return self.path / f"report.{suffix}"

    @property
    def junit(self) -> Path:
        return self.path / "junit.xml"


def make_run_directory(runs: Path, name: str, now: datetime | None = None) -> RunDirectory:
    """Make `runs/<UTC time>-<name>` and point `runs/latest` at it. Runs that begin in the same second get one each.

    Raises UnusableInput when it cannot be made.
    """
    stem = f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{name}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        path = _make_unique(runs, stem)
        _link_latest(runs, path.name)
    except OSError as error:
        raise UnusableInput(f"{runs}: cannot make a run directory here: {error.strerror}") from error
    return RunDirectory(path)


def _make_unique(runs: Path, stem: str) -> Path:
    number = 1
    while True:
        path = runs / (stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
        number += 1


def _link_latest(runs: Path, name: str) -> None:
    """In one step, so that somebody who looks at the same time finds the old link or the new one."""
    link = runs / f".{LATEST}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(name, target_is_directory=True)
    link.replace(runs / LATEST)
