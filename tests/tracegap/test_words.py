"""What the person who watches a run reads about a phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.plan import load_plan
from tracegap.experiment.words import phase_in_words


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("", ""),
        (
            "faults: [{link: a->b, toxic: latency, latency: 1.5s, stream: downstream}]",
            "a->b: latency 1,500 ms on responses",
        ),
        (
            "faults: [{link: a->b, toxic: bandwidth, rate: 10kB/s, stream: upstream, toxicity: 25%}]",
            "a->b: bandwidth 10 kB/s on requests of 25% of connections",
        ),
        ("faults: [{link: a->b, toxic: reset_peer}]", "a->b: reset_peer on responses"),
        ("faults: [{link: a->b, enabled: false}]", "a->b: cut"),
        ("faults: [{link: a->b, drop_first_connections: 3}]", "a->b: first 3 connections dropped"),
        ("faults: [{choose: [{link: a->b, enabled: false}, {link: b->c, enabled: false}]}]", "one of 2 faults"),
        (
            "shop: {payment: {sleep: 200ms, rate: 50%}, email: {raise: true}}",
            "payment: rate 0.5, sleep_ms 200; email: raise",
        ),
    ],
)
def test_every_kind_of_fault_has_words(tmp_path: Path, does: str, expected: str) -> None:
    """Link, what is done, how much of it, and which way."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"name: x\nphases:\n  - name: p\n    duration: 9s\n    {does}\n")
    (phase,) = load_plan(plan, links=None).phases
    assert phase_in_words(phase) == expected
