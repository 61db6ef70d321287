"""Whether the system is well enough to hurt it, and whether it is hurt too much. Pure, over counts of requests."""

from __future__ import annotations

from collections import deque

from faults.plan import Abort, SteadyState
from tracegap.progress import Counts

__all__ = ["AbortWatch", "unsteady"]


def unsteady(wanted: SteadyState, since: Counts, now: Counts) -> str | None:
    """Why nothing may be injected; None when the system is well.

    Args:
        since: counts at the end of the warm-up.
        now: counts at the moment before the first fault.
    """
    requests, failures = now.requests - since.requests, now.failures - since.failures
    if requests < wanted.min_requests:
        return f"{requests} requests since the warm-up, expected at least {wanted.min_requests}"
    if failures > wanted.max_failure_rate * requests:
        return f"{failures} of {requests} requests failed, expected at most {wanted.max_failure_rate:.1%}"
    if wanted.max_p95_ms is not None and now.p95_ms is not None and now.p95_ms > wanted.max_p95_ms:
        return f"the 95th percentile is {now.p95_ms:.0f} ms, expected at most {wanted.max_p95_ms:g} ms"
    return None


class AbortWatch:
    """Looks back over the last seconds for too many failures."""

    def __init__(self, wanted: Abort) -> None:
        self._wanted = wanted
        self._seen: deque[tuple[float, Counts]] = deque()

    def broken(self, now_s: float, counts: Counts) -> str | None:
        """Why the run has to stop; None while it may go on. `now_s`: any clock that only goes forward."""
        self._seen.append((now_s, counts))
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - self._wanted.window_s:
            self._seen.popleft()
        first = self._seen[0][1]
        requests, failures = counts.requests - first.requests, counts.failures - first.failures
        if requests < self._wanted.min_requests or failures <= self._wanted.failure_rate * requests:
            return None
        return f"{failures} of the last {requests} requests failed, more than {self._wanted.failure_rate:.0%}"
