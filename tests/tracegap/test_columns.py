"""`--columns`: Parquet files whose columns have names that nobody could guess."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tracegap.command import run_tracegap

MAPPING = ("trace_id=t", "span_id=s", "start_ns=begin:ms", "duration_ns=took:us", "service=who", "name=what")
OPTIONS = [part for each in MAPPING for part in ("--columns", each)]


@pytest.fixture
def foreign(tmp_path: Path) -> str:
    columns = {
        "t": ["0a" * 16],
        "s": ["01"],
        "begin": [1_700_000_000_000],
        "took": [2_500],
        "who": ["a"],
        "what": ["op"],
    }
    pq.write_table(pa.table(columns), tmp_path / "foreign.parquet")
    return str(tmp_path / "foreign.parquet")


@pytest.mark.parametrize(
    "command", [("analyze",), ("trace", "0a"), ("traces", "service:a"), ("compare", "{file}")], ids=lambda each: each[0]
)
def test_every_command_that_reads_takes_a_mapping(  # type: ignore[no-untyped-def]
    capfdbinary, monkeypatch, foreign: str, command: tuple[str, ...]
) -> None:
    """With it the span is read, its duration in the unit that was said; without it the file is refused."""
    words = [word.format(file=foreign) for word in command]
    result = run_tracegap(capfdbinary, monkeypatch, *words, foreign, "--format", "json", *OPTIONS)
    assert result.code == 0, result.err
    assert json.loads(result.out)
    assert "2.5" in result.out or "2500000" in result.out
    refused = run_tracegap(capfdbinary, monkeypatch, *words, foreign)
    assert refused.code == 2
    assert "no column for trace_id" in refused.err


@pytest.mark.parametrize("option", ["trace_id", "nonsense=t", "trace_id=", "=t"])
def test_other_mappings_are_refused(capfdbinary, monkeypatch, foreign: str, option: str) -> None:  # type: ignore[no-untyped-def]
    """One line that says what was expected."""
    result = run_tracegap(capfdbinary, monkeypatch, "analyze", foreign, "--columns", option)
    assert (result.code, result.out) == (2, "")
    assert "expected NAME=COLUMN" in result.err
