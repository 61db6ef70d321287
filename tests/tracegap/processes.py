"""Waiting for processes, for tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import psutil

__all__ = ["gone_within", "listening_ports", "wait_until"]


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    """Fails the test when the condition does not become true in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.02)


def gone_within(processes: Collection[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that still run after this time; a zombie that nobody has collected runs no more."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        left = [process for process in processes if _runs(process)]
        if not left or time.monotonic() > deadline_s:
            return left
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listening_ports(processes: Collection[psutil.Process]) -> set[int]:
    """TCP ports that these processes listen on."""
    ports = set()
    for process in processes:
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        ports |= {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
    return ports
