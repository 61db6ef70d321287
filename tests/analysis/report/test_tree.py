from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.tree import guides, lane
from tests.analysis.report.samples import SLOW_CHECKOUT


@pytest.mark.parametrize(
    ("depths", "drawn"),
    [
        ([], []),
        ([0], [""]),
        ([0, 1, 2, 1], ["", "├─ ", "│  └─ ", "└─ "]),
        ([0, 1, 2, 3, 1, 2], ["", "├─ ", "│  └─ ", "│     └─ ", "└─ ", "   └─ "]),
        ([0, 1, 0, 1], ["", "└─ ", "", "└─ "]),
    ],
)
def test_guides_connect_rows_to_their_parents(depths: list[int], drawn: list[str]) -> None:
    """A line goes on exactly as long as a later sibling follows."""
    assert guides(depths) == drawn


def test_a_deep_row_shows_its_innermost_levels() -> None:
    """The name of a deep span stays on the screen."""
    assert guides(list(range(5)), levels=2) == ["", "└─ ", "   └─ ", "…   └─ ", "…   └─ "]


@given(st.lists(st.integers(0, 6), max_size=40))
def test_guides_have_three_columns_a_level(steps: list[int]) -> None:
    """However the tree looks, names of one level begin in one column."""
    depths: list[int] = []
    for step in steps:  # a row is at most one level below the row before it
        depths.append(min(step, depths[-1] + 1) if depths else 0)
    assert [len(guide) for guide in guides(depths)] == [3 * depth for depth in depths]


@given(st.integers(10, 120))
def test_a_lane_has_the_width_it_is_given(width: int) -> None:
    """Every row of a trace fits into its lane, the last nanosecond included."""
    total = SLOW_CHECKOUT.end_ns - SLOW_CHECKOUT.start_ns
    for row in SLOW_CHECKOUT.rows:
        cells = lane(row, width, SLOW_CHECKOUT.start_ns, total)
        assert len(cells) == width
        assert any(cell != " " for cell, _ in cells)
