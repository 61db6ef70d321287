"""What was really injected, and when: one JSON object per line, appended as it happens.

Every line is an event of one fault, `{"at_ns": ..., "event": "confirmed", "fault": "slow-payment.0", ...}`, so that a
run that is killed leaves all that happened until then. `read_ledger` folds the events into one record per fault.

asked -> confirmed (the server has it) -> seen (a probe through the link felt it) -> removed -> gone (felt no more)
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from faults.errors import FaultsError

__all__ = ["Event", "FaultRecord", "Ledger", "read_ledger"]

Event = Literal["asked", "confirmed", "adjusted", "seen", "unseen", "removed", "gone", "rolled_back"]


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault of a run. Times are nanoseconds since 1970; null is what did not happen.

    `measured` is what the probe felt, in `unit`, to hold beside `asked`: added milliseconds for `ms`, throughput for
    `bytes/s`, what passed for `bytes`, and how many for `connections`. `took_effect` is None where no probe can tell.
    """

    fault: str
    phase: str
    link: str
    kind: str  # a toxic's type, `cut` or `drop_first_connections`
    stream: str | None
    toxicity: float
    attributes: Mapping[str, int]
    asked_ns: int
    asked: float | None = None
    unit: str | None = None
    confirmed_ns: int | None = None
    seen_ns: int | None = None
    removed_ns: int | None = None
    gone_ns: int | None = None
    measured: float | None = None
    took_effect: bool | None = None
    reason: str | None = None  # why it did not take effect, or why that is not known
    together_with: tuple[str, ...] = field(default=())  # other faults on the link at that time: felt as one


class Ledger:
    """Appends events to a file. Safe to share between threads, and with the watchdog's process.

    Args:
        path: created where absent; lines are appended.
        now_ns: the clock.
    """

    def __init__(self, path: Path | str, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.path = Path(path)
        self._now_ns = now_ns
        self._lock = threading.Lock()
        # One write per line to a file opened for appending: lines of two processes do not mix.
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def append(self, event: Event, fault: str, *, at_ns: int | None = None, **facts: object) -> int:
        """Write an event; returns its time."""
        at_ns = self._now_ns() if at_ns is None else at_ns
        line = json.dumps({"at_ns": at_ns, "event": event, "fault": fault, **facts}, separators=(",", ":")) + "\n"
        with self._lock:
            os.write(self._descriptor, line.encode())
        return at_ns

    def records(self) -> tuple[FaultRecord, ...]:
        """What stands in the file so far."""
        return read_ledger(self.path)

    def close(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_ledger(path: Path | str) -> tuple[FaultRecord, ...]:
    """One record per fault, in the order in which they were asked for.

    A last line that was cut short by a kill is left out.

    Raises:
        FaultsError: the file cannot be read, or a line is not an event; names the line.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise FaultsError(f"{path}: cannot be read: {error.strerror}") from error
    records: dict[str, FaultRecord] = {}
    for number, line in enumerate(lines[:-1], 1):
        try:
            _fold(records, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FaultsError(f"{path}:{number}: not an event of a ledger ({type(error).__name__}: {error})") from error
    return tuple(records.values())


def _fold(records: dict[str, FaultRecord], line: dict[str, Any]) -> None:
    event, fault, at_ns = line["event"], line["fault"], line["at_ns"]
    if event not in get_args(Event):
        raise ValueError(f"unknown event {event!r}")
    if event == "asked":
        facts = {key: value for key, value in line.items() if key not in ("event", "at_ns")}
        records[fault] = FaultRecord(**{**facts, "asked_ns": at_ns, "together_with": tuple(line["together_with"])})
        return
    record = records[fault]
    match event:
        case "confirmed":
            record = replace(record, confirmed_ns=at_ns)
        case "adjusted":
            record = replace(record, attributes=line["attributes"])
        case "seen":
            first_ns = record.seen_ns if record.seen_ns is not None else at_ns
            asked = record.asked if line["asked"] is None else line["asked"]  # of a ramp: when it was measured
            record = replace(
                record, seen_ns=first_ns, asked=asked, measured=line["measured"], took_effect=True, reason=None
            )
        case "unseen":
            record = replace(record, took_effect=line["took_effect"], reason=line["reason"])
        case "removed" | "rolled_back":
            record = replace(record, removed_ns=at_ns)
        case "gone":
            record = replace(record, gone_ns=at_ns)
    records[fault] = record
