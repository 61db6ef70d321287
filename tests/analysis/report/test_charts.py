from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from analysis.diagnosis import Diagnosis, Finding
from analysis.observe import observe
from analysis.report.charts import failure_bars, histogram, timeline_chart
from analysis.report.distributions import Distribution, Series, distributions
from analysis.report.failure_rates import FailureBin, FailureRate, failure_rates
from analysis.report.timeline import timeline
from analysis.resolve_callees import resolve_callees
from tests.analysis.builders import table
from tests.analysis.report.samples import DEMO, DEMO_DISTRIBUTION, DEMO_TIMELINE, EMPTY, SLOW_PAYMENT
from tests.tracegap.checkouts import spans_between

NORMAL = resolve_callees(observe(table(*spans_between(0, 60))))
SLOW = resolve_callees(observe(table(*spans_between(100, 160))))


def with_finding(**changes: object) -> Diagnosis:
    finding: Finding = replace(SLOW_PAYMENT, phase=None, **changes)  # type: ignore[arg-type]
    return replace(EMPTY, findings=(finding,))


def test_both_sides_are_counted_over_the_same_bins() -> None:
    """Each side's shares add up to 1, and the slow side lies 1,500 ms to the right."""
    (found,) = distributions(with_finding(), SLOW, NORMAL)
    before, after = found.series
    assert (before.name, before.samples, after.samples) == ("baseline", 60, 60)
    assert sum(before.shares) == pytest.approx(1)
    assert sum(after.shares) == pytest.approx(1)
    assert after.p50_ms - before.p50_ms == pytest.approx(1500, abs=1)
    assert found.quantity == "response leg of gateway->payment"


def test_a_service_is_measured_by_its_own_time() -> None:
    """A finding about a service shows what its spans took themselves, per trace."""
    (found,) = distributions(with_finding(hop=None, leg=None, culprit="payment"), SLOW, NORMAL)
    assert found.quantity == "own time of payment, per trace"
    assert found.series[1].p50_ms == pytest.approx(20.6, abs=1)


@pytest.mark.parametrize(
    "changes", [{"kind": "failure"}, {"hop": "nobody->knows"}, {"hop": None, "culprit": "nobody", "leg": None}]
)
def test_nothing_measured_is_nothing_drawn(changes: dict[str, object]) -> None:
    """No chart stands without a sample behind it."""
    assert distributions(with_finding(**changes), SLOW, NORMAL) == ()


@pytest.mark.parametrize("logarithmic", [True, False])
def test_histograms_stay_within_their_frame(logarithmic: bool) -> None:
    """Every coordinate of every path lies in the view box, whichever the axis."""
    chart = histogram(replace(DEMO_DISTRIBUTION, logarithmic=logarithmic), width=400, height=120)
    for curve in chart.curves:
        for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", curve.path):
            assert 0 <= float(x) <= 400
            assert 0 <= float(y) <= chart.base_y
    assert len(chart.ticks) >= 2
    assert all(0 <= tick.at <= 400 for tick in chart.ticks)


def test_one_sample_that_is_always_the_same_has_a_chart() -> None:
    """A range of no width divides nothing by zero."""
    point = Distribution(
        1, "wire", logarithmic=False, edges_ms=(5.0, 5.0005, 5.001), series=(Series("all", 3, 5, 5, (1.0, 0.0)),)
    )
    assert histogram(point).curves[0].style == "after"


def test_the_timeline_has_no_holes() -> None:
    """Bins follow each other and hold every trace once."""
    drawn = timeline(SLOW, bins=10)
    assert drawn is not None
    assert [piece.end_ns for piece in drawn.bins[:-1]] == [piece.start_ns for piece in drawn.bins[1:]]
    assert sum(piece.traces for piece in drawn.bins) == 60
    assert all(piece.p50_ms == pytest.approx(1535, abs=5) for piece in drawn.bins)


def test_one_moment_has_no_timeline() -> None:
    """There is nothing to draw between a trace and itself."""
    assert timeline(observe(table(*spans_between(0, 1)))) is None
    assert timeline(observe(table())) is None


def test_the_line_breaks_where_nothing_ran() -> None:
    """An empty bin is a hole in the line, not a request of zero milliseconds."""
    chart = timeline_chart(DEMO_TIMELINE, DEMO.phases)
    assert chart.p95.count("M") == 2
    assert [band.name for band in chart.bands] == ["baseline", "slow-payment", "lost-orders", "recovery"]
    assert len(chart.failed) == 1


def test_phases_are_drawn_within_the_timeline() -> None:
    """A phase that began before the first trace is cut at the frame."""
    chart = timeline_chart(DEMO_TIMELINE, DEMO.phases)
    assert all(band.x >= 62 and band.x + band.width <= chart.width for band in chart.bands)
    assert np.all(np.diff([band.x for band in chart.bands]) > 0)


def test_failures_are_counted_when_they_happened() -> None:
    """Every crossing is in one bin, with those that failed where they began."""
    observed = resolve_callees(observe(table(*spans_between(0, 100), *spans_between(200, 300))))
    lost = replace(SLOW_PAYMENT, kind="failure", hop="gateway->fulfillment", cause="lost_message")
    (rate,) = failure_rates(replace(EMPTY, findings=(lost,)), observed, bins=3)
    assert [(piece.well, piece.failed) for piece in rate.bins] == [(100, 0), (0, 0), (67, 33)]


def test_failure_bars_stand_on_each_other() -> None:
    """What failed begins where what did its work ends, and nothing leaves the frame."""
    rate = FailureRate(1, "a->b", (FailureBin(0, 10, 3, 1), FailureBin(10, 20, 0, 2), FailureBin(20, 30, 0, 0)))
    bars = failure_bars(rate, ())
    (_, _, well_y, _, well_height, _), (_, _, failed_y, _, failed_height, _), alone = bars.pieces
    assert failed_y + failed_height == pytest.approx(well_y)
    assert well_y + well_height == pytest.approx(bars.base_y)
    assert alone[0] == "after"
    assert all(y >= 0 and x + width <= bars.width for _, x, y, width, _, _ in bars.pieces)
