"""How far a long read is: on a terminal, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracegap.checkouts import write_spans
from tests.tracegap.commands import tracegap


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_is_told_how_far_the_read_is(tmp_path: Path) -> None:
    """Standard error names the file and the spans so far on one line that is cleared in the end; standard output
    holds the report alone."""
    write_spans(tmp_path / "a.parquet", 0, 10)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "tracegap", "analyze", str(tmp_path / "a.parquet"), "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        written = bytearray()
        with contextlib.suppress(OSError):  # what Linux says when the other end of a terminal is closed
            while chunk := os.read(ours, 65536):
                written += chunk
        assert process.stdout is not None
        report = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    assert b" spans" in written
    assert written.endswith(b"\r\x1b[K")
    assert report.startswith(b"{")


def test_a_log_is_not(tmp_path: Path) -> None:
    """Without a terminal nothing is said about progress."""
    done = tracegap("analyze", str(write_spans(tmp_path / "a.parquet", 0, 10)), directory=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
