"""The ledger keeps what happened until the moment of a kill, and reads it back as one record per fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.errors import FaultsError
from faults.ledger import FaultRecord, Ledger, read_ledger

ASKED = {
    "phase": "slow",
    "link": "gateway->payment",
    "kind": "latency",
    "stream": "downstream",
    "toxicity": 1.0,
    "attributes": {"latency": 1500, "jitter": 0},
    "asked": 1500.0,
    "unit": "ms",
    "together_with": [],
}


def write(path: Path) -> None:
    clock = iter(range(100, 200))
    with Ledger(path, now_ns=lambda: next(clock)) as ledger:
        ledger.append("asked", "slow.0", **ASKED)
        ledger.append("confirmed", "slow.0")
        ledger.append("seen", "slow.0", asked=1500.0, measured=1490.0, unit="ms")
        ledger.append("seen", "slow.0", asked=1500.0, measured=1502.0, unit="ms")
        ledger.append("removed", "slow.0")
        ledger.append("gone", "slow.0", at_ns=150)


def test_folds_the_events_of_a_fault(tmp_path: Path) -> None:
    """Seen is when it was first seen; measured is the last and best value."""
    write(tmp_path / "ledger.jsonl")
    assert read_ledger(tmp_path / "ledger.jsonl") == (
        FaultRecord(
            fault="slow.0",
            phase="slow",
            link="gateway->payment",
            kind="latency",
            stream="downstream",
            toxicity=1.0,
            attributes={"latency": 1500, "jitter": 0},
            asked_ns=100,
            asked=1500.0,
            unit="ms",
            confirmed_ns=101,
            seen_ns=102,
            measured=1502.0,
            took_effect=True,
            removed_ns=104,
            gone_ns=150,
        ),
    )


def test_a_ledger_cut_anywhere_is_read_up_to_its_last_line(tmp_path: Path) -> None:
    """Whatever byte a kill cut the file at: every complete line counts, and nothing raises."""
    whole, cut = tmp_path / "ledger.jsonl", tmp_path / "cut.jsonl"
    write(whole)
    content = whole.read_bytes()
    for end in range(len(content)):
        cut.write_bytes(content[:end])
        records = read_ledger(cut)
        assert len(records) == (1 if b"\n" in content[:end] else 0)
    assert records[0].removed_ns is not None


def test_a_never_felt_fault_says_why(tmp_path: Path) -> None:
    """`unseen` carries the verdict and its reason."""
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append("asked", "slow.0", **ASKED)
        ledger.append("unseen", "slow.0", took_effect=False, reason="9 conversations, and none showed it")
        [record] = ledger.records()
    assert (record.took_effect, record.reason) == (False, "9 conversations, and none showed it")


@pytest.mark.parametrize(
    "line", ["{}", "nonsense", '{"event":"seen","fault":"x","at_ns":1}', '{"event":"?","fault":"x","at_ns":1}', "[1]"]
)
def test_a_line_that_is_no_event_is_named(line: str, tmp_path: Path) -> None:
    """The error names the file and the line."""
    path = tmp_path / "ledger.jsonl"
    write(path)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FaultsError, match=r"ledger\.jsonl:7: not an event"):
        read_ledger(path)


def test_a_missing_ledger_is_named(tmp_path: Path) -> None:
    """A clear error and no traceback."""
    with pytest.raises(FaultsError, match="cannot be read"):
        read_ledger(tmp_path / "none.jsonl")
