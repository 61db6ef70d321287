"""Whether conversations show a fault: by hand, in milliseconds."""

from __future__ import annotations

import pytest

from faults.effects import Injected, demand, invisible, judge
from faults.probe import Exchange


def answered(answer_ms: float, *, close_ms: float | None = None, sent: int = 100, received: int = 200) -> Exchange:
    return Exchange("answered", answer_ms + 1, answer_ms, close_ms, 0, sent, received)


USUAL = [answered(2.0, close_ms=1.0), answered(3.0, close_ms=1.0), answered(9.0, close_ms=1.0)]
LATENCY = Injected("latency", "downstream", {"latency": 100, "jitter": 0})
JITTER = Injected("latency", "downstream", {"latency": 100, "jitter": 80})
HANG = Injected("timeout", "downstream", {"timeout": 0})

CASES = [
    # fault, conversations during it, felt, measured
    (LATENCY, [answered(103.0), answered(104.0), answered(109.0)], 3, 101.0),
    (LATENCY, [answered(4.0), answered(20.0)], 0, None),
    (LATENCY, [answered(4.0), answered(103.0)], 1, 100.0),  # only some connections meet it
    (LATENCY, [Exchange("silent", 2000.0)], 0, None),  # a hang is not a delay
    (JITTER, [answered(33.0), answered(173.0)], 2, 100.0),  # mean, with what jitter has shortened
    (HANG, [Exchange("silent", 1000.0)], 1, None),
    (HANG, [answered(2.0)], 0, None),
    (Injected("timeout", "upstream", {"timeout": 250}), [Exchange("closed", 251.0)], 1, 251.0),
    (Injected("reset_peer", "downstream", {"timeout": 0}), [Exchange("reset", 1.0)], 1, 1.0),
    (Injected("reset_peer", "downstream", {"timeout": 0}), [Exchange("refused", 1.0)], 0, None),
    (Injected("cut"), [Exchange("refused", 0.2)], 1, None),
    (Injected("cut"), [answered(2.0)], 0, None),
    (Injected("slow_close", "downstream", {"delay": 400}), [answered(3.0, close_ms=402.0)], 1, 401.0),
    (Injected("limit_data", "downstream", {"bytes": 150}), [Exchange("closed", 1.0, received_bytes=150)], 1, 150.0),
    (Injected("limit_data", "upstream", {"bytes": 150}), [Exchange("closed", 1.0, received_bytes=10)], 1, None),
    (Injected("bandwidth", "downstream", {"rate": 2}), [answered(103.0, received=200)], 1, 200 / 0.103),
    (Injected("bandwidth", "upstream", {"rate": 2}), [answered(53.0, sent=100)], 1, 100 / 0.053),
]


@pytest.mark.parametrize(
    ("injected", "during", "felt", "measured"), CASES, ids=[f"{c[0].kind}-{i}" for i, c in enumerate(CASES)]
)
def test_judges(injected: Injected, during: list[Exchange], felt: int, measured: float | None) -> None:
    """How many of the conversations show the fault, and how much of it."""
    effect = judge(injected, USUAL, during)
    assert effect.felt == felt
    assert effect.measured == (None if measured is None else pytest.approx(measured))


def test_what_jitter_asks_for_is_its_mean() -> None:
    """100 ± 300 ms cannot be below zero: the mean of the delay is (100 + 300)² / (4 · 300), not 100."""
    wild = Injected("latency", "downstream", {"latency": 100, "jitter": 300})
    assert judge(wild, USUAL, []).asked == pytest.approx(400**2 / 1200)
    assert judge(JITTER, USUAL, []).asked == 100


@pytest.mark.parametrize(
    ("injected", "why"),
    [
        (Injected("latency", "downstream", {"latency": 1, "jitter": 0}), "too little"),
        (Injected("bandwidth", "downstream", {"rate": 100_000}), "too little"),
        (Injected("slicer", "downstream", {"average_size": 64, "size_variation": 0, "delay": 0}), "without a pause"),
        (Injected("limit_data", "downstream", {"bytes": 10_000_000}), "above the 65536 bytes"),
    ],
)
def test_says_what_no_probe_can_tell(injected: Injected, why: str) -> None:
    """Too small, or too large, for a conversation that does not load the system: not judged, with the reason."""
    assert why in str(invisible(injected, USUAL[0]))


@pytest.mark.parametrize("rate", [1, 64, 1_000, 100_000])
def test_a_probe_never_asks_for_much(rate: int) -> None:
    """Feeling a bandwidth limit takes a quarter of a second of it, and 64 KiB at most."""
    volume = demand(Injected("bandwidth", "downstream", {"rate": rate})).volume_bytes
    assert 512 <= volume <= 65_536
