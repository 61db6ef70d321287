"""Which traces belong to which phase."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracegap.experiment.windows import Begun, Window, windows

S = 1_000_000_000


def test_a_phase_owns_the_traffic_from_just_before_its_faults() -> None:
    """Each window but the first begins half a settling time before the phase did, and lasts until the next one."""
    begun = [Begun("calm", baseline=True, begin_ns=10 * S), Begun("cut", baseline=False, begin_ns=20 * S)]
    assert windows(begun, 35 * S, 2 * S) == (
        Window("calm", 10 * S, 19 * S, baseline=True),
        Window("cut", 19 * S, 35 * S, baseline=False),
    )


@given(
    lengths_s=st.lists(st.integers(3, 1000), min_size=1, max_size=8),
    settle_s=st.integers(0, 2),
)
def test_windows_touch_and_cover_the_run(lengths_s: list[int], settle_s: int) -> None:
    """No moment between the first phase and the end of the drain belongs to no phase, or to two."""
    begins = [sum(lengths_s[:number]) * S for number in range(len(lengths_s))]
    found = windows([Begun(str(b), baseline=False, begin_ns=b) for b in begins], sum(lengths_s) * S, settle_s * S)
    assert found[0].start_ns == 0
    assert found[-1].end_ns == sum(lengths_s) * S
    assert all(one.end_ns == following.start_ns for one, following in pairwise(found))
    assert all(window.start_ns < window.end_ns for window in found)
