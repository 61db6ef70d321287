"""The file that tells services to do wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from shop.misbehaviour import GOOD, Misbehaviour


def write(file: Path, text: str, *, mtime_ns: int) -> None:
    file.write_text(text)
    os.utime(file, ns=(mtime_ns, mtime_ns))


def test_changes_are_noticed(tmp_path: Path) -> None:
    """Absent, told, told otherwise, absent again."""
    file = tmp_path / "misbehave.json"
    payment = Misbehaviour("payment", file)
    assert payment.now() == GOOD
    write(file, json.dumps({"payment": {"sleep_ms": 200}}), mtime_ns=1)
    assert payment.now().sleep_ms == 200
    write(file, json.dumps({"payment": {"raise": True}}), mtime_ns=2)
    assert (payment.now().sleep_ms, payment.now().raises) == (0, True)
    write(file, json.dumps({"email": {"raise": True}}), mtime_ns=3)
    assert payment.now() == GOOD
    write(file, json.dumps({"payment": {"burn_ms": 1}}), mtime_ns=4)
    file.unlink()
    assert payment.now() == GOOD


@pytest.mark.parametrize("text", ["{", "[]", '{"payment": {"slep_ms": 1}}', '{"payment": {"sleep_ms": -1}}'])
def test_an_unusable_file_changes_nothing(tmp_path: Path, text: str) -> None:
    """The last order stands, and a usable file is followed again."""
    file = tmp_path / "misbehave.json"
    payment = Misbehaviour("payment", file)
    write(file, json.dumps({"payment": {"sleep_ms": 7}}), mtime_ns=1)
    assert payment.now().sleep_ms == 7
    write(file, text, mtime_ns=2)
    assert payment.now().sleep_ms == 7
    write(file, json.dumps({"payment": {"sleep_ms": 8}}), mtime_ns=3)
    assert payment.now().sleep_ms == 8


def test_rate_says_to_which_share(tmp_path: Path) -> None:
    """Some of the work goes wrong, some does not; none at 0, all at 1."""
    file = tmp_path / "misbehave.json"
    payment = Misbehaviour("payment", file)
    seen = {}
    for turn, rate in enumerate((0, 0.5, 1)):
        write(file, json.dumps({"payment": {"raise": True, "rate": rate}}), mtime_ns=turn)
        seen[rate] = {payment.now().raises for _ in range(200)}
    assert seen == {0: {False}, 0.5: {False, True}, 1: {True}}
