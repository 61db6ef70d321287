"""Runs `tracegap` as its console script does, in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from tracegap.cli import main

__all__ = ["Result", "run_tracegap"]


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str


def run_tracegap(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> Result:
    """Exit code and both outputs of `tracegap ARGUMENTS`, on a plain pipe of 100 columns."""
    monkeypatch.setattr(sys, "argv", ["tracegap", *map(str, arguments)])
    monkeypatch.delenv("COLUMNS", raising=False)
    capfdbinary.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capfdbinary.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return Result(code, captured.out.decode(), captured.err.decode())
