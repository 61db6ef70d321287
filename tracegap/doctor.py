"""`tracegap doctor`: what is here, what is missing, how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from tracegap.errors import PartFailed
from tracegap.stack import servers
from tracegap.stack.ports import LOOPBACK, reserve_port

GET_STACK = "pip install 'tracegap[stack]'"
OLDEST_PYTHON = (3, 11)
NEEDED_MEMORY_MB = 1500
NEEDED_DISK_MB = 500
VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    here: bool
    detail: str
    remedy: str = ""
    required: bool = True


@click.command()
def command() -> int:
    """Say what is here, what is missing, and how to get it.

    Ends with exit code 3 when something is missing that `tracegap run` cannot do without.
    """
    checks = list(look())
    for check in checks:
        mark = "ok" if check.here else "MISSING" if check.required else "absent"
        click.echo(f"{mark:<8} {check.name:<16} {check.detail}")
        if not check.here and check.remedy:
            click.echo(f"{'':<8} {'':<16} {check.remedy}")
    missing = [check for check in checks if check.required and not check.here]
    if missing:
        raise PartFailed(f"`tracegap run` cannot do without: {', '.join(check.name for check in missing)}")
    click.echo("`tracegap run` has all it needs")
    return 0


def look() -> Iterator[Check]:
    """Look at everything that a run needs, and at what it can use."""
    version = platform.python_version()
    yield Check("python", sys.version_info >= OLDEST_PYTHON, version, "install Python 3.11 or newer")
    yield _program("postgres", lambda: servers.postgres_programs() / "postgres")
    yield _program("redis", servers.redis_program)
    yield _program("nats", servers.nats_program)
    for package in ("locust", "uvicorn", "fastapi", "asyncpg", "faststream", "opentelemetry-distro"):
        yield _package(package)
    yield _loopback()
    yield _data_directory()
    yield _memory()
    yield _optional(
        "toxiproxy-server",
        "the embedded one is used instead",
        "https://github.com/Shopify/toxiproxy/releases, if you prefer the original",
    )
    yield _optional("docker", "needed for docker-compose.yml only", "https://docs.docker.com/engine/install")


def _program(name: str, find: Callable[[], Path]) -> Check:
    """A server's program, and that it runs on this system at all."""
    try:
        program = find()
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=True
        )
    except PartFailed as error:
        return Check(name, here=False, detail=str(error), remedy=GET_STACK)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(
            name, here=False, detail=f"its program does not run here: {error}", remedy="is there a wheel for it?"
        )
    return Check(name, here=True, detail=answer.stdout.strip().splitlines()[0])


def _package(name: str) -> Check:
    try:
        return Check(name, here=True, detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, here=False, detail="not installed", remedy=GET_STACK)


def _loopback() -> Check:
    try:
        reserve_port()
    except OSError as error:
        return Check("loopback", here=False, detail=f"no free port on {LOOPBACK}: {error}", remedy="allow loopback")
    return Check("loopback", here=True, detail=f"{LOOPBACK} has free ports")


def _data_directory() -> Check:
    try:
        directory = servers.make_data_directory()
    except (PartFailed, OSError) as error:
        return Check("data directory", here=False, detail=str(error), remedy="set TMPDIR")
    directory.rmdir()
    free_mb = shutil.disk_usage(tempfile.gettempdir()).free // 2**20
    user = f"; PostgreSQL runs as {servers.UNPRIVILEGED_USER!r}" if os.geteuid() == 0 else ""
    detail = f"{directory.parent}, {free_mb:,} MB free{user}"
    return Check("data directory", free_mb >= NEEDED_DISK_MB, detail, f"free {NEEDED_DISK_MB} MB, or set TMPDIR")


def _memory() -> Check:
    available_mb = psutil.virtual_memory().available // 2**20
    return Check("memory", available_mb >= NEEDED_MEMORY_MB, f"{available_mb:,} MB available", "close something")


def _optional(name: str, without: str, remedy: str) -> Check:
    path = shutil.which(name)
    return Check(name, path is not None, path or without, remedy, required=False)
