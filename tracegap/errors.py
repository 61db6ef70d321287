"""What ends a command early, with the exit code it ends with.

TracegapError
├── UnusableInput   2: wrong usage, or input that cannot be read
└── PartFailed      3: a part could not be started, or died
"""

from __future__ import annotations

__all__ = ["PartFailed", "TracegapError", "UnusableInput"]


class TracegapError(Exception):
    """One clear line for the person at the terminal."""

    exit_code = 1


class UnusableInput(TracegapError):
    exit_code = 2


class PartFailed(TracegapError):
    exit_code = 3
