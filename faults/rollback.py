"""What must be undone, known before it is done.

Every change to a Toxiproxy server is announced before it is made and crossed out after it was undone. Whoever holds the
list (the injector itself, and the watchdog's process) can undo what is left at any moment; undoing what never got done
is harmless.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from faults.errors import FaultsError, UnknownProxy
from faults.toxiproxy import Toxiproxy

__all__ = ["Announce", "Changes", "Undo", "undo"]


@dataclass(frozen=True, slots=True)
class Undo:
    """One step back."""

    action: Literal["remove_toxic", "enable", "set_upstream"]
    proxy: str
    argument: str = ""  # name of the toxic, or the upstream
    fault: str = ""  # id in the ledger

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def undo(toxiproxy: Toxiproxy, step: Undo) -> None:
    """Take one step back; a proxy or toxic that is gone needs none."""
    try:
        match step.action:
            case "remove_toxic":
                toxiproxy.remove_toxic(step.proxy, step.argument)
            case "enable":
                toxiproxy.enable(step.proxy)
            case "set_upstream":
                toxiproxy.set_upstream(step.proxy, step.argument)
    except UnknownProxy:
        pass


Announce = Callable[[Literal["intend", "done"], Undo], None]
"""Tells somebody outside this process what is about to be done, and what was undone."""


class Changes:
    """The list. Safe to share between threads.

    Args:
        toxiproxy: where the changes are made.
        announce: told of every change before it is made and after it is undone.
    """

    def __init__(self, toxiproxy: Toxiproxy, announce: Announce | None = None) -> None:
        self._toxiproxy = toxiproxy
        self._announce = announce or (lambda what, step: None)
        self._lock = threading.Lock()
        self._open: list[Undo] = []

    def make(self, step_back: Undo, change: Callable[[], None]) -> None:
        """Make a change; on an error it is undone at once, for it may have got through."""
        self._announce("intend", step_back)
        with self._lock:
            self._open.append(step_back)
        try:
            change()
        except BaseException:
            self.unmake(step_back)
            raise

    def unmake(self, step_back: Undo) -> None:
        """Undo a change. It stays on the list when that fails."""
        with self._lock:
            if step_back not in self._open:
                return
        undo(self._toxiproxy, step_back)
        with self._lock:
            if step_back in self._open:
                self._open.remove(step_back)
        self._announce("done", step_back)

    def unmake_all(self) -> Sequence[FaultsError]:
        """Undo whatever is left, newest first; one failure does not keep the others from being undone."""
        failures = []
        for step_back in reversed(self.open()):
            try:
                self.unmake(step_back)
            except FaultsError as error:
                failures.append(error)
        return failures

    def open(self) -> tuple[Undo, ...]:
        """What is not undone yet."""
        with self._lock:
            return tuple(self._open)
