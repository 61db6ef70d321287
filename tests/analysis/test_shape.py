"""Names for what the network does, from times alone."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.shape import depends_on_what_is_sent, drained_one_by_one

GENERATOR = np.random.default_rng(3)
SHORT, LONG = GENERATOR.gamma(4, 0.2, (2, 60)), GENERATOR.gamma(4, 0.6, (2, 60))


@pytest.mark.parametrize(
    ("short_ms", "long_ms", "expected"),
    [
        (np.full(60, 4.0), np.full(60, 120.0), True),
        (np.full(60, 120.0), np.full(60, 120.0), False),
        (GENERATOR.uniform(0, 160, 60), GENERATOR.uniform(0, 160, 60), False),
        (np.zeros(60), np.full(60, 120.0), False),
    ],
    ids=["a thin link", "a delay", "jitter", "one slow query"],
)
def test_a_thin_link_is_known_by_what_it_does_to_short_and_long_statements(
    short_ms: np.ndarray, long_ms: np.ndarray, expected: bool
) -> None:
    """Both kinds became slower, and by very different amounts."""
    groups = [(SHORT[0], SHORT[1] + short_ms), (LONG[0], LONG[1] + long_ms)]
    assert depends_on_what_is_sent(groups) is expected


@pytest.mark.parametrize("thin", [True, False])
def test_messages_that_take_turns_show_a_thin_link(thin: bool) -> None:
    """On a thin link, messages sent together arrive 80 ms apart; a delay leaves them together."""
    sent = np.sort(GENERATOR.uniform(0, 10_000, 60))
    arrived, free = np.empty(60), 0.0
    for i, at in enumerate(sent):
        free = max(at, free if thin else 0.0) + 80
        arrived[i] = free + GENERATOR.uniform(0, 8)
    assert drained_one_by_one(sent, arrived - sent) is thin
