"""The statistics, held against SciPy's where SciPy has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics_bootstrap import shift, shift_interval
from analysis.statistics_rank import (
    autocorrelation_inflation,
    exceedance_p,
    normal_tail,
    rank_test,
    tail_test_counts,
)
from analysis.statistics_rates import benjamini_hochberg, clopper_pearson, fisher_greater


@pytest.mark.parametrize("decimals", [6, 0])
def test_one_stratum_is_the_mann_whitney_test(decimals: int) -> None:
    """Also with ties; the variance guard only ever makes it less sure."""
    generator = np.random.default_rng(3)
    base, current = generator.normal(10, 2, 30).round(decimals), generator.normal(11, 2, 35).round(decimals)
    value = np.concatenate((base, current))
    side = np.repeat([False, True], [30, 35])
    zeros = np.zeros(65, dtype=np.int64)
    found = rank_test(zeros, zeros, side, value, np.arange(65), 1)
    expected = stats.mannwhitneyu(
        current, base, alternative="greater", method="asymptotic", use_continuity=False
    ).pvalue
    assert found.p[0] == pytest.approx(expected, rel=1e-9)
    assert found.p[0] + found.p_faster[0] == pytest.approx(1.0)


def test_strata_hide_a_change_of_mix() -> None:
    """A place whose traffic shifts to its slow operation did not become slower."""
    generator = np.random.default_rng(4)
    fast, slow = generator.normal(10, 1, 400), generator.normal(50, 1, 400)
    value = np.concatenate((fast, slow))
    stratum = np.repeat([0, 1], 400)
    side = np.concatenate((np.arange(400) % 4 == 0, np.arange(400) % 4 != 0))
    zeros = np.zeros(800, dtype=np.int64)
    time = generator.permutation(800)
    mixed = rank_test(zeros, zeros, side, value, time, 1)
    apart = rank_test(zeros, stratum, side, value, time, 1)
    assert mixed.p[0] < 1e-10
    assert apart.p[0] > 0.01


def test_places_do_not_disturb_each_other() -> None:
    """Testing many places at once gives what testing each alone gives."""
    generator = np.random.default_rng(5)
    place = generator.integers(0, 7, 900)
    value = generator.gamma(2, 5, 900)
    side = generator.uniform(size=900) < 0.5
    time = np.arange(900)
    together = rank_test(place, place, side, value, time, 7)
    for k in range(7):
        of = place == k
        zeros = np.zeros(int(of.sum()), dtype=np.int64)
        alone = rank_test(zeros, zeros, side[of], value[of], time[of], 1)
        assert together.z[k] == pytest.approx(alone.z[0])


def test_a_side_that_is_missing_proves_nothing() -> None:
    """No row on one side: p is one half, not a discovery."""
    found = rank_test(np.zeros(5, int), np.zeros(5, int), np.ones(5, bool), np.arange(5.0), np.arange(5), 2)
    assert found.z.tolist() == [0.0, 0.0]


def test_bursts_make_a_test_less_sure() -> None:
    """Values that come in runs inflate the variance; independent ones leave it alone."""
    generator = np.random.default_rng(6)
    runs = np.repeat(generator.normal(size=40), 50)
    zeros, side = np.zeros(2_000, dtype=np.int64), np.zeros(2_000, dtype=bool)
    time = np.arange(2_000)
    assert autocorrelation_inflation(zeros, side, runs, time, 1)[0] > 10
    assert autocorrelation_inflation(zeros, side, generator.normal(size=2_000), time, 1)[0] < 2


def test_tail_counts_see_what_a_median_does_not() -> None:
    """Three slow calls in a hundred stand above the pooled quantile, all on the current side; three in a row are
    hardly more than one event."""
    zeros, time = np.zeros(200, dtype=np.int64), np.arange(200)
    for slow, expected in (([20, 50, 80], [0, 100, 3, 100]), ([51, 52, 53], [0, 32, 1, 32])):
        value = np.full(200, 10.0)
        value[100 + np.array(slow)] = 900.0
        counts = tail_test_counts(zeros, np.repeat([False, True], 100), value, time, 1)
        assert counts.tolist() == [expected]


def test_batches_beyond_all_of_the_base() -> None:
    """Half of the current batches above every batch of the base is no chance; bursts within a batch count once."""
    base = np.arange(100, dtype=np.float64) % 7
    half = np.concatenate((base[:50], base[50:] + 100))
    assert exceedance_p(base, half) < 1e-3
    assert exceedance_p(base, base) == 1.0
    one = np.concatenate((base[:95], base[95:] + 100))
    assert exceedance_p(base, one) == pytest.approx(0.5)


@pytest.mark.parametrize("table", [(0, 1_000, 10, 1_000), (5, 50, 9, 40), (0, 3, 1, 2), (3, 10, 10, 10)])
def test_fishers_test(table: tuple[int, int, int, int]) -> None:
    """The upper tail of the hypergeometric distribution."""
    base_failed, base, failed, total = table
    grid = [[failed, total - failed], [base_failed, base - base_failed]]
    assert fisher_greater(*table) == pytest.approx(stats.fisher_exact(grid, alternative="greater").pvalue, rel=1e-9)


@pytest.mark.parametrize(("failed", "total"), [(0, 20), (1, 1_000), (10, 10), (37, 90)])
def test_clopper_pearson(failed: int, total: int) -> None:
    """The exact interval, with its one-sided ends."""
    exact = stats.binomtest(failed, total).proportion_ci(method="exact")
    assert clopper_pearson(failed, total) == pytest.approx((exact.low, exact.high))


def test_no_trial_says_nothing_about_a_rate() -> None:
    """The interval is everything."""
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_benjamini_hochberg() -> None:
    """Adjusted p values, also in disorder and with ties."""
    p = np.array([0.03, 0.001, 0.5, 0.03, 0.9, 0.0])
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_normal_tail() -> None:
    """P(Z >= 1.96) is 2.5 %."""
    assert normal_tail(np.array([1.959964]))[0] == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_intervals_cover_the_true_shift(statistic: str) -> None:
    """Of sixty 95 % intervals at least fifty hold the shift that was put in (chance of fewer: under 1 in 1,000)."""
    covered = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        base, current = generator.normal(20, 5, 150), generator.normal(27, 5, 150)
        low, high = shift_interval(base, current, statistic, seed)  # type: ignore[arg-type]
        assert low <= shift(base, current, statistic) <= high  # type: ignore[arg-type]
        covered += low <= 7 <= high
    assert covered >= 50


def test_thinned_samples_keep_their_certainty() -> None:
    """An interval from 40,000 rows is about a tenth as wide as one from 400."""
    generator = np.random.default_rng(8)
    widths = []
    for n in (400, 40_000):
        low, high = shift_interval(generator.normal(0, 1, n), generator.normal(0, 1, n), "mean", 1)
        widths.append(high - low)
    assert 5 < widths[0] / widths[1] < 20
