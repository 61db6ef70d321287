"""`tracegap` as a process of its own, for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["started", "tracegap"]


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "tracegap", *arguments]


def tracegap(*arguments: str, directory: Path, timeout_s: float = 150) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        _command(arguments), cwd=directory, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@contextmanager
def started(*arguments: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start it, with its output in `output.txt`; whatever the test does, it is killed in the end."""
    with (directory / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            _command(arguments),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
