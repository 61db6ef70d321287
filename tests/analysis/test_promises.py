"""What the diagnosis promises about its own errors, each held over many random inputs."""

from __future__ import annotations

import numpy as np

from analysis.compare import compare
from analysis.compare_frame import frame
from analysis.compare_samples import Comparison
from analysis.observations import concat
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from tests.analysis.shop_cases import compared, observed
from tests.analysis.shop_traffic import Draw, Fault, Traffic, spans_of

SPLITS = 200


def test_two_halves_of_one_baseline_differ_in_nothing() -> None:
    """At most 5 % of 200 random splits give any finding, with noise of 60 % and failures of 1 and 2 % in the data."""
    fails = {
        "payment->bank": Fault("RuntimeError", 0.02, arrives=True, callee_fails=True),
        "gateway->payment": Fault("ConnectionResetError", 0.01),
    }
    view = frame(observed(Traffic(traces=800, seed=11, noise=0.6, fails=fails)))
    n = len(view.roots.root)
    wrong = 0
    for seed in range(SPLITS):
        side = (1 + np.random.default_rng(seed).permutation(n) % 2).astype(np.int8)
        wrong += bool(compare(Comparison(view, side)).drafts)
    assert wrong <= 0.05 * SPLITS


def normal(mean_ms: float, deviation_ms: float) -> Draw:
    return lambda generator, n: np.maximum(0, generator.normal(mean_ms, deviation_ms, n))


def test_five_milliseconds_in_noise_of_ten_are_found() -> None:
    """300 calls a side; the hop and nothing else, in at least 11 of 12 draws."""
    found = 0
    for seed in range(12):
        windows = [
            Traffic(traces=300, checkouts=1.0, seed=seed + 1_000 * k, start_s=60.0 * k,
                    response={"gateway->payment": normal(30 + 5 * k, 10)})
            for k in (0, 1)
        ]  # fmt: skip
        findings = compared(*windows)
        found += [(f.culprit, f.leg) for f in findings] == [("gateway->payment", "response")]
    assert found >= 11


def test_one_failure_in_a_hundred_is_found() -> None:
    """0 of 1,000 calls fail before, 10 of 1,000 now."""
    base = observed(Traffic(traces=1_000, checkouts=1.0, seed=1))
    good = Traffic(traces=990, checkouts=1.0, seed=2, start_s=60)
    bad = Traffic(
        traces=10, checkouts=1.0, seed=3, start_s=60, fails={"gateway->payment": Fault("ConnectionResetError")}
    )
    both = resolve_callees(concat([base, observe(spans_of(good, bad))]), {})
    side = np.repeat([1, 2], 1_000).astype(np.int8)
    (draft,) = compare(Comparison(frame(both), side)).drafts
    assert (draft.finding.culprit, draft.finding.cause) == ("gateway->payment", "reset")
    assert (draft.finding.count, draft.finding.rate) == (10, 0.01)
    assert "between 0.48 % and 1.8 %" in draft.finding.summary
