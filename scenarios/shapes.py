"""Load that somebody else decides: a file says how many users there should be, and may say so anew at any time."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import ClassVar

from locust import LoadTestShape

__all__ = ["FollowSchedule"]

_logger = logging.getLogger(__name__)


class FollowSchedule(LoadTestShape):  # type: ignore[misc]
    """Follows `{"users": 20, "spawn_rate": 10}` in a file, read again (once a second) when its time stamp changes.

    A file that is absent or unusable changes nothing: the last order stands; before the first there are no users.
    """

    abstract: ClassVar[bool] = True  # nobody gets it by importing this module; see scenarios.control

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._seen_mtime_ns = -1
        self._order = (0, 1.0)
        self._ended = False

    def end(self) -> None:
        """Within a second: users finish what they are doing, and Locust ends."""
        self._ended = True

    def tick(self) -> tuple[int, float] | None:
        """Users, and users started or stopped per second; None at the end."""
        if self._ended:
            return None
        try:
            mtime_ns = self._file.stat().st_mtime_ns
            if mtime_ns != self._seen_mtime_ns:
                order = json.loads(self._file.read_text())
                self._order = (max(0, int(order["users"])), max(0.1, float(order["spawn_rate"])))
                self._seen_mtime_ns = mtime_ns
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            _logger.warning("%s is not usable, the load stays as it is: %r", self._file, error)
        return self._order
