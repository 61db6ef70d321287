"""SIGTERM and SIGHUP end a run as Ctrl-C does: in order, with every part stopped and every fault removed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["interruptible"]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within it, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread.

    SIGINT too: a shell starts background jobs with it ignored, and then Python leaves it so. SIGHUP stays ignored where
    it is: that is what `nohup` is for.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
