"""What a report shows beside the diagnosis itself."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Attachments"]


@dataclass(frozen=True, slots=True)
class Attachments:
    """Everything is optional; a form shows what it can.

    `source` is what was analysed, as the user named it. `commands` are the next steps that a reader can type, and
    `files` the reports that stand beside this one.
    """

    source: str = ""
    files: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
