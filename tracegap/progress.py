"""What a run shows while it runs: a live line on a terminal, plain lines elsewhere. On standard error, always."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

__all__ = ["Counts", "RunProgress"]

PLAIN_EVERY_S = 10.0
WIDTH = 80


@dataclass(frozen=True, slots=True)
class Counts:
    """What the load generator has done since it started."""

    requests: int = 0
    failures: int = 0
    users: int = 0
    p95_ms: float | None = None  # of the response times since the last reset; None where nobody knows


class RunProgress:
    """One task after another (starting, phases, drain, analysis); a context manager.

    Args:
        console: where to show it; by default standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, WIDTH)  # a log has no width that lines must fit
        self._live = Progress(
            TextColumn("{task.description:<16.16}", style="bold"),
            BarColumn(bar_width=14),
            TextColumn("{task.fields[clock]:>12}"),
            TextColumn("{task.fields[counts]}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._name = ""
        self._last_plain_s = 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=not self._console.is_terminal)

    def note(self, text: str) -> None:
        """A word about the current task, on a terminal only."""
        if self._task is not None:
            self._live.update(self._task, counts=text)

    def begin(self, name: str, duration_s: float | None, what: str = "") -> None:
        """Start showing the next task. `duration_s`: None where nobody knows."""
        self._name = name
        self._last_plain_s = 0.0
        if self._task is not None:
            self._live.remove_task(self._task)
        length = "" if duration_s is None else f"{duration_s:g} s"
        self.say("  ".join(word for word in (f"{name:<16}", f"{length:>6}", what) if word.strip()).rstrip())
        self._task = self._live.add_task(name, total=duration_s, clock="", counts="")

    def tick(self, elapsed_s: float, duration_s: float, counts: Counts) -> None:
        """How far the task is."""
        shown = f"{counts.requests:,} requests  {counts.failures:,} failures"
        if self._task is not None:
            clock = f"{min(elapsed_s, duration_s):.0f} of {duration_s:.0f} s"
            self._live.update(self._task, completed=min(elapsed_s, duration_s), clock=clock, counts=shown)
        if not self._console.is_terminal and elapsed_s - self._last_plain_s >= PLAIN_EVERY_S:
            self._last_plain_s = elapsed_s
            self.say(f"{self._name:<16}  {elapsed_s:4.0f} of {duration_s:.0f} s  {shown}")

    def __enter__(self) -> RunProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
