"""Steady state before the first fault, and the abort condition."""

from __future__ import annotations

import pytest

from faults.plan import Abort, SteadyState
from tracegap.experiment.steadiness import AbortWatch, unsteady
from tracegap.progress import Counts

WANTED = SteadyState(max_failure_rate="2%", min_requests=50, max_p95="200ms")


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (Counts(requests=149, failures=5), "49 requests since the warm-up, expected at least 50"),
        (Counts(requests=200, failures=8), "3 of 100 requests failed, expected at most 2.0%"),
        (Counts(requests=200, failures=7, p95_ms=250.0), "the 95th percentile is 250 ms, expected at most 200 ms"),
        (Counts(requests=200, failures=7, p95_ms=199.0), None),
        (Counts(requests=200, failures=7), None),
    ],
)
def test_only_what_happened_since_the_warm_up_counts(now: Counts, reason: str | None) -> None:
    """Failures of the warm-up are forgotten; what is not known is not held against the system."""
    assert unsteady(WANTED, Counts(requests=100, failures=5), now) == reason


def test_the_abort_condition_looks_back_over_its_window() -> None:
    """Old failures leave the window; a few requests prove nothing; many failures at once do."""
    watch = AbortWatch(Abort(failure_rate="50%", window="10s", min_requests=10))
    assert watch.broken(0, Counts(requests=0, failures=0)) is None
    assert watch.broken(1, Counts(requests=8, failures=8)) is None
    assert watch.broken(5, Counts(requests=100, failures=8)) is None
    assert watch.broken(20, Counts(requests=110, failures=18)) == "10 of the last 10 requests failed, more than 50%"
    assert watch.broken(40, Counts(requests=200, failures=18)) is None
