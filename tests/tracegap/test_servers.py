"""PostgreSQL, Redis and NATS from their wheels, started one by one."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tracegap.processes import wait_until
from tracegap.stack import servers
from tracegap.stack.ports import LOOPBACK, reserve_port
from tracegap.stack.probes import nats_probe, postgres_probe, redis_probe
from tracegap.stack.supervisor import Supervisor


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "parts") as supervisor:
        yield supervisor


@pytest.fixture
def data(supervisor: Supervisor) -> Path:
    directory = servers.make_data_directory()
    supervisor.remove_at_end(directory)
    return directory


def _start_postgres(supervisor: Supervisor, data: Path) -> psutil.Process:
    supervisor.start(servers.initdb(data))
    assert supervisor.wait("initdb", 60) == 0, supervisor.log_of("initdb").read_text()
    port = reserve_port()
    supervisor.start(servers.postgres(data, port))
    probe = postgres_probe(LOOPBACK, port, servers.POSTGRES_USER, servers.POSTGRES_DATABASE)
    wait_until(probe.ready, probe.what, 30)
    supervisor.check()
    return psutil.Process(supervisor.pids["postgres"])


def test_postgres_takes_sessions_and_stops_when_told(supervisor: Supervisor, data: Path) -> None:
    """It runs as us or, where we are root, as the unprivileged user; its workers end with it."""
    server = _start_postgres(supervisor, data)
    expected = servers.UNPRIVILEGED_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    assert server.username() == expected
    workers = server.children()
    supervisor.stop(["postgres"])
    assert supervisor.exit_code("postgres") == 0
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's user cannot enter")
def test_postgres_runs_from_an_environment_that_its_user_cannot_enter(
    supervisor: Supervisor, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a virtual environment below root's home: the programs are copied, and nothing is opened to others."""
    programs = servers.postgres_programs()
    package = programs.parent.parent
    closed = tmp_path / "closed"
    shutil.copytree(programs.parent, closed / package.name / programs.parent.name, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    inside = closed / programs.relative_to(package.parent)
    monkeypatch.setattr(servers, "postgres_programs", lambda: inside)
    server = _start_postgres(supervisor, data)
    assert Path(server.exe()).is_relative_to(data)
    assert closed.stat().st_mode & 0o777 == 0o700


def test_redis_and_nats_answer_in_their_protocols(supervisor: Supervisor, data: Path) -> None:
    """Each is ready when its own probe says so, and not before it was started."""
    for make, probe_of in ((servers.redis, redis_probe), (servers.nats, nats_probe)):
        port = reserve_port()
        probe = probe_of(LOOPBACK, port)
        assert not probe.ready()
        supervisor.start(make(data, port))
        wait_until(probe.ready, probe.what, 30)
    supervisor.check()


def test_their_data_goes_away_with_the_run(tmp_path: Path) -> None:
    """Nothing is left in the temporary directory."""
    with Supervisor(tmp_path / "parts") as supervisor:
        data = servers.make_data_directory()
        supervisor.remove_at_end(data)
        supervisor.start(servers.nats(data, reserve_port()))
        assert data.exists()
    assert not data.exists()
