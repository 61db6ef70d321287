"""The run's end of the guardian: start parts, hear of their deaths, stop them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tracegap.errors import PartFailed
from tracegap.stack.environment import base_environment

__all__ = ["Process", "Supervisor", "log_tail"]

START_WITHIN_S = 30.0
STOP_GRACE_S = 5.0
TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class Process:
    """A program to run as a part."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=base_environment)  # all of it
    directory: Path = Path()
    user: str | None = None  # run as this user; only root may
    stop_signal: int = signal.SIGTERM
    kill_signal: int = signal.SIGKILL
    ends: bool = False  # whether it is meant to end by itself, whatever its exit code


class Supervisor:
    """Parts by name. A context manager: leaving it ends them all.

    Args:
        logs: directory for one log file per part.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        self._changed = threading.Condition()
        self._pids: dict[str, int] = {}
        self._exit_codes: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._may_end: set[str] = set()  # meant to, or told to
        self._lost = False
        self._socket, theirs = socket.socketpair()
        with theirs, (logs / "guardian.log").open("ab") as log:
            self._guardian = subprocess.Popen(
                [sys.executable, "-P", "-m", "tracegap.stack.guardian", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is for the run, which then stops the parts in order
            )
        self._reader = threading.Thread(target=self._listen, name="guardian", daemon=True)
        self._reader.start()

    @property
    def guardian_pid(self) -> int:
        return self._guardian.pid

    @property
    def pids(self) -> dict[str, int]:
        """Name to process id of the parts that run now."""
        with self._changed:
            return {name: pid for name, pid in self._pids.items() if name not in self._exit_codes}

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def start(self, process: Process) -> None:
        """Start a part and wait until it is a process of its own (not until it is ready).

        Raises PartFailed when the program cannot be executed.
        """
        with self._changed:
            self._exit_codes.pop(process.name, None)
            self._pids.pop(process.name, None)
            self._may_end.discard(process.name)
            if process.ends:
                self._may_end.add(process.name)
        self._order(
            do="start",
            name=process.name,
            command=[str(word) for word in process.command],
            environment=dict(process.environment),
            directory=str(process.directory.absolute()),
            log=str(self.log_of(process.name).absolute()),
            user=process.user,
            stop_signal=int(process.stop_signal),
            kill_signal=int(process.kill_signal),
        )
        with self._changed:
            answered = self._changed.wait_for(
                lambda: self._lost or process.name in self._pids or process.name in self._refused, START_WITHIN_S
            )
            reason = self._refused.pop(process.name, None)
        if reason is None and not answered:
            reason = f"the process that guards the parts has not answered for {START_WITHIN_S:g} s"
        if reason is not None:
            raise PartFailed(f"{process.name} could not be started: {reason}")
        self.check()

    def exit_code(self, name: str) -> int | None:
        """How this part ended; None while it runs."""
        with self._changed:
            return self._exit_codes.get(name)

    def wait(self, name: str, timeout_s: float) -> int | None:
        """Wait for a part to end. Returns its exit code, None when it still runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._lost or name in self._exit_codes, timeout_s)
            return self._exit_codes.get(name)

    def check(self) -> None:
        """Raise PartFailed when a part has died that was meant to live, naming it and its last words."""
        with self._changed:
            if self._lost:
                raise PartFailed("the process that guards the parts died, and all parts with it")
            dead = {n: c for n, c in self._exit_codes.items() if n not in self._may_end}
        for name, code in dead.items():
            raise PartFailed(f"{name} died ({_how(code)}){log_tail(self.log_of(name))}")

    def stop(self, names: Collection[str], grace_s: float = STOP_GRACE_S) -> None:
        """Tell these parts to stop together and wait until they have; after the grace they are killed."""
        running = self.pids
        here = [name for name in names if name in running]
        with self._changed:
            self._may_end.update(here)
        self._order(do="stop", names=here, grace_s=grace_s)
        with self._changed:
            self._changed.wait_for(lambda: self._lost or self._exit_codes.keys() >= set(here), grace_s + 3)

    def remove_at_end(self, directory: Path) -> None:
        """Have this directory removed when all parts have ended, however the run ends."""
        self._order(do="remove", path=str(directory))

    def run_at_end(self, command: Sequence[str]) -> None:
        """Have this run when all parts have ended, however the run ends; it should be harmless when nothing is left."""
        self._order(do="finally", command=list(command), environment=base_environment())

    def close(self) -> None:
        """End whatever still runs and wait until it has."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        try:
            self._guardian.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()
        self._reader.join(timeout=5)
        self._socket.close()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _order(self, **order: object) -> None:
        try:
            self._socket.sendall(json.dumps(order).encode() + b"\n")
        except OSError:
            with self._changed:
                self._lost = True

    def _listen(self) -> None:
        with self._socket.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._note(json.loads(line))
        with self._changed:
            self._lost = True
            self._changed.notify_all()

    def _note(self, event: Mapping[str, object]) -> None:
        name = str(event["name"])
        with self._changed:
            match event["event"]:
                case "started":
                    self._pids[name] = int(str(event["pid"]))
                case "refused":
                    self._refused[name] = str(event["reason"])
                case "exited":
                    self._exit_codes[name] = int(str(event["code"]))
            self._changed.notify_all()


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def log_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file, indented and introduced, as the end of an error message."""
    try:
        text = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return ""
    if not text:
        return f"; it wrote nothing to {log}"
    return "\n".join([f"; the last lines of {log}:", *(f"    {line}" for line in text)])
