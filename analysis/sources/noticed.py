"""What a reader noticed and went on from, counted instead of repeated."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Warnings"]


@dataclass(slots=True)
class Warnings:
    """Warnings of one location."""

    location: str
    _counts: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def count(self, what: str, times: int = 1, *, many: str | None = None) -> None:
        """Note `what`, `times` more times; `many` is the wording for more than one."""
        if times:
            self._counts[what, many] = self._counts.get((what, many), 0) + times

    def merge(self, other: Warnings) -> None:
        """Add what another reader of the same location noticed."""
        for (what, many), times in other._counts.items():
            self.count(what, times, many=many)

    def lines(self) -> tuple[str, ...]:
        """One line per kind of warning, each naming the location."""
        return tuple(self._line(what, many, times) for (what, many), times in self._counts.items())

    def _line(self, what: str, many: str | None, times: int) -> str:
        if many is None:
            return f"{self.location}: {what}" if times == 1 else f"{self.location}: {what} ({times} times)"
        return f"{self.location}: 1 {what}" if times == 1 else f"{self.location}: {times} {many}"
