"""Input that has nothing to compare, or names that lead nowhere: an answer with a reason, never a traceback."""

from __future__ import annotations

import pytest

from analysis.diagnose import diagnose
from analysis.diagnosis import Phase
from analysis.observations import Observations
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from analysis.span_table import LOG_SCHEMA
from tests.analysis.builders import span, table
from tests.analysis.shop_cases import observed
from tests.analysis.shop_traffic import Traffic

ONE = observe(table(span("A")))
ALONE = observe(table(*[span("A", trace=f"t{i}", ms=i + 1) for i in range(40)]))
NAMELESS = observe(table(*[span("A", trace=f"t{i}", ms=i + 1, service=None, name=None) for i in range(40)]))
INSTANT = observe(table(*[span("A", trace=f"t{i}", ms=0) for i in range(40)]))


@pytest.mark.parametrize("observations", [ONE, ALONE, NAMELESS, INSTANT], ids=["one", "alone", "nameless", "instant"])
@pytest.mark.parametrize("baseline", [None, ONE, ALONE], ids=["none", "one", "alone"])
def test_traces_that_never_leave_a_service(observations: Observations, baseline: Observations | None) -> None:
    """No hop: inconclusive, with what to instrument."""
    found = diagnose(observations, baseline=baseline)
    assert (found.verdict, found.findings) == ("inconclusive", ())
    assert any("instrument the clients" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    "phases",
    [
        (Phase("a", 0, 1, baseline=True), Phase("b", 1, 2)),
        (Phase("a", 0, 1), Phase("b", 1, 2)),
        (Phase("a", 0, 1, baseline=True), Phase("all", 0, 2**62)),
    ],
    ids=["empty", "without baseline", "empty baseline"],
)
def test_phases_in_which_nothing_happened(phases: tuple[Phase, ...]) -> None:
    """Windows without traces are named as the reason."""
    found = diagnose(observed(Traffic(traces=60)), phases=phases, logs=LOG_SCHEMA.empty_table())
    assert found.verdict == "inconclusive"
    assert any("0 traces" in reason for reason in found.reasons)


def test_names_that_occur_once() -> None:
    """Paths with ids in them: rows are compared by their place when no two names are alike."""

    def calls(first: int, wire_ms: float) -> Observations:
        spans = []
        for i in range(first, first + 30):
            spans.append(span("A", trace=f"t{i}", service="a", kind="client", ms=3 + wire_ms))
            name = f"GET /x/{i}"
            spans.append(
                span("B", parent="A", trace=f"t{i}", service="b", name=name, kind="server", start_ms=1, ms=2 + i % 3)
            )
        return observe(table(*spans))

    (finding,) = diagnose(calls(100, 22.0), baseline=calls(0, 2.0)).findings
    assert (finding.culprit, finding.cause) == ("a->b", "delay")
    assert finding.delta_ms == pytest.approx(20, abs=1)


def test_the_same_traces_on_both_sides() -> None:
    """Nothing differs from itself."""
    same = observed(Traffic(seed=1))
    found = diagnose(same, baseline=same)
    assert (found.verdict, found.findings) == ("ok", ())


def test_time_that_goes_where_nobody_traces() -> None:
    """Most of the time is spent in a callee that is known by its address only: the reason names it."""
    spans = []
    for i in range(40):
        spans.append(span("A", trace=f"t{i}", service="a", kind="server", ms=10))
        spans.append(
            span("B", parent="A", trace=f"t{i}", service="a", kind="client", start_ms=1, ms=8, address="10.0.0.7:443")
        )
    found = diagnose(resolve_callees(observe(table(*spans)), {}))
    assert found.verdict == "inconclusive"
    assert "80 % of the time is spent in 10.0.0.7:443, called by a, which sends no spans" in " ".join(found.reasons)
