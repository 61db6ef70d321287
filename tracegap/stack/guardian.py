"""The process that starts all parts and outlives none of them: `python -m tracegap.stack.guardian FD`.

It talks JSON lines with the run over the socket FD (see `tracegap.stack.supervisor` for the other end):

    in   {"do": "start", "name", "command", "environment", "directory", "log", "user", "stop_signal", "kill_signal"}
         {"do": "stop", "names": [...], "grace_s"}      stop signal to each, SIGKILL to its group after the grace
         {"do": "remove", "path"}                       remove this directory when everything has ended
         {"do": "finally", "command", "environment"}    run this then, whatever ended it
    out  {"event": "started", "name", "pid"}
         {"event": "refused", "name", "reason"}
         {"event": "exited", "name", "code"}             code: of the exit, or minus the signal

Nothing may survive the run, also when it is killed with SIGKILL, at any moment. Three things see to that:

- The parts are children of this process and not of the run, so that there is no moment at which a part exists and
  nobody who would end it knows of it. When the run dies, the socket closes: that ends everything.
- On Linux each part is told to die with this process (PR_SET_PDEATHSIG), should somebody kill this one too.
- Processes that parts started, and that left their group as PostgreSQL's workers do, are found as descendants; on Linux
  they stay descendants even when their parent has died (PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

__all__ = ["Guardian", "main"]

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
FINALLY_TIMEOUT_S = 10.0
LAST_GRACE_S = 1.0  # for parts whose kill_signal is not SIGKILL: PostgreSQL removes its shared memory on SIGQUIT


@dataclass(slots=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    stop_signal: int
    kill_signal: int
    kill_at_s: float | None = None  # of time.monotonic(), once it was told to stop

    def send(self, number: int) -> None:
        """To its whole process group, which `start_new_session` made it the leader of."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Guardian:
    def __init__(self, run: socket.socket) -> None:
        self._run = run
        self._children: dict[int, Child] = {}
        self._remove: list[str] = []
        self._finally: list[tuple[list[str], dict[str, str]]] = []
        self._buffer = b""
        self._ended = False  # the run has gone, or somebody asked us to stop
        self._set_own_death = _death_with_parent()

    def serve(self) -> None:
        """Do what the run asks for until it goes away; then end everything that is left."""
        wake_reader, wake_writer = socket.socketpair()
        wake_reader.settimeout(0)
        wake_writer.settimeout(0)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._run, selectors.EVENT_READ, self._read)
                selector.register(wake_reader, selectors.EVENT_READ, lambda: wake_reader.recv(4096))
                while not self._ended:
                    for key, _ in selector.select(self._wait_s()):
                        key.data()
                    self._reap()
                    self._kill_overdue()
        finally:
            self.end_all()

    def end_all(self) -> None:
        """Kill whatever is left, descendants of parts included, then remove and run what was asked for."""
        for child in self._children.values():
            child.send(child.kill_signal)
        deadline_s = time.monotonic() + LAST_GRACE_S
        while self._slow_ones() and time.monotonic() < deadline_s:
            time.sleep(0.01)
            self._reap()
        deadline_s += 5
        while (left := psutil.Process().children(recursive=True)) and time.monotonic() < deadline_s:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(0.01)
            self._reap()
        for path in self._remove:
            shutil.rmtree(path, ignore_errors=True)
        for command, environment in self._finally:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(
                    command, env=environment, stdin=subprocess.DEVNULL, timeout=FINALLY_TIMEOUT_S, check=False
                )

    def _slow_ones(self) -> bool:
        return any(child.kill_signal != signal.SIGKILL for child in self._children.values())

    def _end(self, *_: object) -> None:
        self._ended = True

    def _wait_s(self) -> float | None:
        due = [child.kill_at_s for child in self._children.values() if child.kill_at_s is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _read(self) -> None:
        try:
            data = self._run.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._ended = True
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            match order.pop("do"):
                case "start":
                    self._start(**order)
                case "stop":
                    self._stop(**order)
                case "remove":
                    self._remove.append(order["path"])
                case "finally":
                    self._finally.append((order["command"], order["environment"]))

    def _tell(self, event: str, **fields: Any) -> None:
        with contextlib.suppress(OSError):  # the run has gone: the next read says so
            self._run.sendall(json.dumps({"event": event, **fields}).encode() + b"\n")

    def _start(
        self,
        *,
        name: str,
        command: list[str],
        environment: dict[str, str],
        directory: str,
        log: str,
        user: str | None,
        stop_signal: int,
        kill_signal: int,
    ) -> None:
        identity: dict[str, Any] = {}
        if user is not None:
            entry = pwd.getpwnam(user)
            identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        try:
            with open(log, "ab") as output:  # noqa: PTH123
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=self._set_own_death,  # this process has one thread
                    **identity,
                )
        except (OSError, subprocess.SubprocessError) as error:
            self._tell("refused", name=name, reason=str(error))
            return
        self._children[process.pid] = Child(name, process, stop_signal, kill_signal)
        self._tell("started", name=name, pid=process.pid)

    def _stop(self, *, names: list[str], grace_s: float) -> None:
        for child in self._children.values():
            if child.name in names:
                child.kill_at_s = time.monotonic() + grace_s
                child.send(child.stop_signal)

    def _kill_overdue(self) -> None:
        now_s = time.monotonic()
        for child in self._children.values():
            if child.kill_at_s is not None and child.kill_at_s <= now_s:
                child.kill_at_s = None
                child.send(signal.SIGKILL)

    def _reap(self) -> None:
        """Collect every process that has ended: parts, and orphans that the kernel gave to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                code = os.waitstatus_to_exitcode(status)
                child.process.returncode = code
                child.send(signal.SIGKILL)  # what it may have left in its group
                self._tell("exited", name=child.name, code=code)


def _death_with_parent() -> Callable[[], None] | None:
    """What a new child calls before it becomes its program; nothing where the system has no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guardian = os.getpid()

    def die_with_guardian() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guardian:  # it died before the line above
            os._exit(1)

    return die_with_guardian


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as run:
        Guardian(run).serve()


if __name__ == "__main__":
    main()
