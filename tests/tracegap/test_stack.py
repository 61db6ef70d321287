"""The stack in this process: what it does when a part is not well."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from tests.tracegap.processes import gone_within
from tracegap.errors import PartFailed
from tracegap.stack.description import LINKS
from tracegap.stack.stack import Stack, StackOptions

pytestmark = pytest.mark.stack


def _toxiproxy_that(does: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a `toxiproxy-server` of ours on the PATH: the one that a user has installed comes before the embedded one."""
    folder.mkdir()
    program = folder / "toxiproxy-server"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_part_that_is_never_ready_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which part, what was waited for, how long, and what the part said last; nothing is left."""
    _toxiproxy_that("echo thinking about it; exec sleep 60", tmp_path / "bin", monkeypatch)
    with Stack(tmp_path / "run", StackOptions(ready_within_s=2)) as stack:
        with pytest.raises(PartFailed, match=r"(?s)toxiproxy did not come up: waited 2 s for http.*thinking about it"):
            stack.start()
        family = psutil.Process(stack.supervisor.guardian_pid).children(recursive=True)
    assert family
    assert gone_within(family, 5) == []


def test_every_address_in_the_book_is_a_name(tmp_path: Path) -> None:
    """Servers by their system's name, services by their own, each at its own port and at its links' ports."""
    with Stack(tmp_path / "run", StackOptions()) as stack:
        stack.start()
        book = stack.address_book()
        assert {book[stack.listens[link.name]] for link in LINKS if link.upstream == "postgres"} == {"postgresql"}
        assert book[stack.listens["payment->bank"]] == book[f"127.0.0.1:{stack.ports['bank']}"] == "bank"
        assert len(book) == len(LINKS) + len(stack.ports)
        stack.stop_services()
        stack.stop()
