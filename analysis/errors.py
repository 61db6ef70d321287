"""What the analysis refuses.

AnalysisError
├── BadQuery           a search that cannot be understood
└── UnreadableSource   a file, an answer or a stream that holds no spans we can read

Defects inside readable data (a missing parent, a span that ends before it starts) are values in the result, no errors.
"""

from __future__ import annotations

__all__ = ["AnalysisError", "BadQuery", "UnreadableSource"]


class AnalysisError(Exception):
    """One clear line for the person who asked."""


class BadQuery(AnalysisError):
    """Names the term and says what was expected."""


class UnreadableSource(AnalysisError):
    """`location` (a path or URL) could not be read because of `reason`, at `position` where that is known."""

    def __init__(self, location: str, reason: str, position: str | None = None) -> None:
        self.location = location
        self.reason = reason
        self.position = position
        super().__init__(f"{location}: {f'{position}: ' if position else ''}{reason}")
