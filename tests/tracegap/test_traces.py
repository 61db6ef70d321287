"""`tracegap traces` on a file, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tracegap.errors import UnusableInput
from tracegap.traces import command

SPANS = [
    {"traceId": "0a" * 16, "spanId": "01", "name": "GET /", "startTimeUnixNano": "1700000000000000000",
     "endTimeUnixNano": "1700000002000000000", "attributes": [{"key": "order.id", "value": {"intValue": "12345"}}]},
    {"traceId": "0b" * 16, "spanId": "02", "name": "evil \x1b[31m", "startTimeUnixNano": "1700000001000000000",
     "endTimeUnixNano": "1700000001000000000", "status": {"code": 2}},
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "spans.json"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": SPANS}]}]}))
    return str(path)


def test_text(file: str) -> None:
    """A line for each trace, newest first, id in front; names are no terminal commands."""
    result = CliRunner().invoke(command, ["", file])
    first, second = result.stdout.splitlines()
    assert first.startswith("0b" * 16)
    assert "1 failed" in first
    assert "\x1b" not in first
    assert second.startswith("0a" * 16)
    assert "2000.0 ms" in second
    assert result.stderr.splitlines()[-1] == "2 traces"


def test_json(file: str) -> None:
    """One object a line."""
    result = CliRunner().invoke(command, ["order.id:12345 duration>1s", file, "--format", "json"])
    (hit,) = map(json.loads, result.stdout.splitlines())
    assert (hit["trace_id"], hit["duration_ms"], hit["start"]) == ("0a" * 16, 2000.0, "2023-11-14T22:13:20.000Z")


def test_wrong_query_is_unusable_input(file: str) -> None:
    """Exit code 2 and one line."""
    result = CliRunner().invoke(command, ["duration>fast", file])
    assert isinstance(result.exception, UnusableInput)
    assert "'fast' is no duration" in str(result.exception)
