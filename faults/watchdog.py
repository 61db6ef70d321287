"""A process of its own that cleans up after a run that died.

It reads from a pipe what the run is about to change on a Toxiproxy server and what it has undone. When the run dies, by
whatever signal, it undoes what is left, and nothing else: on a server that others use too, their toxics stay.

`python -m faults.watchdog URL LEDGER PARENT_PID` with the pipe as standard input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Literal

from faults.errors import FaultsError, ToxiproxyUnreachable
from faults.ledger import Ledger
from faults.rollback import Undo, undo
from faults.toxiproxy import Toxiproxy

__all__ = ["Watchdog"]

GIVE_UP_S = 1.8
"""After the run's death. A Toxiproxy that died with the run needs no cleaning; one that hangs cannot be helped."""

TRY_S = 0.6
POLL_S = 0.2
STOP_S = 5.0


class Watchdog:
    """The run's side: starts the process, tells it of changes, sends it away in the end.

    Args:
        url: of the Toxiproxy server.
        ledger: file that the rollback is written to.
    """

    def __init__(self, url: str, ledger: Path | str) -> None:
        # -P: a folder called `faults` where the user happens to be is not this package.
        command = (sys.executable, "-P", "-m", "faults.watchdog", url, str(ledger), str(os.getpid()))
        # A session of its own: Ctrl-C at the terminal and signals to the run's process group do not reach it.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def announce(self, what: Literal["intend", "done"], step: Undo) -> None:
        """Hand over one line; it is in the pipe when this returns, and outlives this process."""
        assert self._process.stdin is not None
        line = f"{what} {step.as_json()}\n".encode()
        try:
            os.write(self._process.stdin.fileno(), line)
        except BrokenPipeError:
            raise FaultsError("the watchdog has died: nothing more is injected without it") from None

    def close(self) -> None:
        """End of the run: the watchdog undoes what is left, usually nothing, and leaves."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def main(url: str, ledger: str, parent_pid: int) -> None:
    """The watchdog's side: read until the run is gone, then undo what is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    left = _read_until_the_run_ends(parent_pid)
    if left:
        _undo_all(url, left, Path(ledger))


def _read_until_the_run_ends(parent_pid: int) -> list[Undo]:
    left: list[Undo] = []
    pending = b""
    descriptor = sys.stdin.fileno()
    os.set_blocking(descriptor, False)
    while True:
        readable, _, _ = select.select([descriptor], [], [], POLL_S)
        if readable:
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return left  # every writer is gone
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                _note(left, line.decode())
        elif os.getppid() != parent_pid:
            # The run is dead although somebody else (a child that it forked) still holds the pipe open.
            return left


def _note(left: list[Undo], line: str) -> None:
    what, _, step = line.partition(" ")
    named = Undo(**json.loads(step))
    if what == "intend":
        left.append(named)
    elif named in left:
        left.remove(named)


def _undo_all(url: str, left: list[Undo], ledger: Path) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    toxiproxy = Toxiproxy(url, timeout_s=TRY_S, attempts=1)
    # Each proxy on its own thread: the original can take long to remove a toxic under traffic.
    proxies = {step.proxy for step in left}
    with Ledger(ledger) as written, ThreadPoolExecutor(len(proxies)) as pool:

        def clean(proxy: str) -> None:
            for step in reversed([step for step in left if step.proxy == proxy]):
                if _undone(toxiproxy, step, deadline) and step.fault:
                    written.append("rolled_back", step.fault)

        list(pool.map(clean, proxies))


def _undone(toxiproxy: Toxiproxy, step: Undo, deadline: float) -> bool:
    while True:
        try:
            undo(toxiproxy, step)
        except FaultsError as error:
            if time.monotonic() > deadline:
                print(f"tracegap: could not undo {step.action} on {step.proxy!r}: {error}", file=sys.stderr)  # noqa: T201
                return False
            time.sleep(0.05 if isinstance(error, ToxiproxyUnreachable) else 0.2)
        else:
            return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
