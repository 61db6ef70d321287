"""The budget language, held against a diagnosis made of records."""

from __future__ import annotations

import pytest

from analysis.budget import BadBudget, evaluate, parse
from analysis.diagnosis import (
    Accounting,
    Diagnosis,
    Finding,
    HopStats,
    HopSummary,
    InputSummary,
    OperationSummary,
    Percentiles,
)

NOTHING = Accounting(0, 0, 0, 0, 0, 0, 0)
FINDING = Finding(
    rank=1, kind="latency", culprit="gateway->payment", service="payment", hop="gateway->payment", cause="delay",
    leg="response", delta_ms=40.0, interval_ms=(39.0, 41.0), share=0.9, rate=None, confidence=0.99, traces=(),
    summary="slow", phase="slow-payment",
)  # fmt: skip
DIAGNOSIS = Diagnosis(
    input=InputSummary(100, 900, 0, ("gateway", "payment"), ()),
    verdict="degraded",
    accounting=NOTHING,
    operations=(
        OperationSummary("locust POST /checkout", 100, 2, 80, 250, 400, NOTHING, 90, 900),
        OperationSummary("locust GET /products", 50, 0, 10, 20, 30, NOTHING, 10, 20),
    ),
    hops=(
        HopSummary(
            "gateway->payment",
            "call",
            HopStats(200, 4, Percentiles(30, 62.5, 80), Percentiles(1, 2, 3), None, None, {"timeout": 4}, 3),
            None,
        ),
        HopSummary("gateway->email", "message", HopStats(50, 0, None, None, None, Percentiles(1, 5, 9), {}), None),
    ),
    findings=(FINDING,),
)


@pytest.mark.parametrize(
    ("expression", "held", "value"),
    [
        ("hop(gateway->payment).wire_ms.p95 < 50", False, 62.5),
        ("hop(gateway->payment).wire_ms.p95<=62.5ms", True, 62.5),
        ("hop(gateway->payment).wire_ms.p99 < 0.1s", True, 80.0),
        ("hop(gateway->payment).failed_rate < 0.01", False, 0.02),
        ("hop(gateway->payment).failed_rate <= 2%", True, 0.02),
        ("hop(gateway->payment).failures.timeout == 0", False, 4.0),
        ("hop(gateway->payment).failures.reset == 0", True, 0.0),
        ("hop(gateway->payment).retries < 5", True, 3.0),
        ("hop(gateway->*).queue_ms.p95 < 10", True, 5.0),
        ("hop(*).calls > 100", False, 50.0),
        ("operation(POST /checkout).p95_ms < 300", True, 250.0),
        ("operation(locust POST /checkout).failed_rate < 1%", False, 0.02),
        ("operation(*).p95_ms < 200", False, 250.0),
        ("service(payment).findings == 0", False, 1.0),
        ("service(gateway).findings == 0", True, 0.0),
        ("service(payment).failed_rate < 5%", True, 0.02),
        ("findings == 0", False, 1.0),
        ("findings(lost_message) == 0", True, 0.0),
        ("findings(slow-payment) == 0", False, 1.0),
        ("verdict != failing", True, None),
        ("verdict == ok", False, None),
    ],
)
def test_a_budget_holds_or_breaks(expression: str, held: bool, value: float | None) -> None:
    """The value that was measured decides, in the units of the report."""
    verdict = evaluate(parse(expression), DIAGNOSIS)
    assert (verdict.held, verdict.value) == (held, pytest.approx(value) if value is not None else None)


def test_a_broken_budget_says_by_how_much() -> None:
    """The message names the place, the value and the distance to the limit."""
    verdict = evaluate(parse("hop(gateway->payment).wire_ms.p95 < 50"), DIAGNOSIS)
    assert verdict.excess == pytest.approx(12.5)
    assert "gateway->payment is 62.5 ms, 12.5 ms above the limit" in verdict.message


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("hop(gateway->bank).wire_ms.p95 < 50", "the input has no hop gateway->bank; it has gateway->payment"),
        ("hop(gateway->payment).response_leg_ms.p95 < 50", "no response_leg_ms.p95 of it"),
        ("operation(POST /pay).p95_ms < 50", "no operation POST /pay"),
    ],
)
def test_what_was_not_measured_does_not_hold(expression: str, says: str) -> None:
    """A budget on something that is not in the input is broken, and says what is there."""
    verdict = evaluate(parse(expression), DIAGNOSIS)
    assert not verdict.held
    assert verdict.value is None
    assert says in verdict.message


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "expected a comparison"),
        ("hop(gateway->payment).wire_ms.p95", "expected a comparison"),
        ("hop(gateway->payment).wire_ms.p95 < fast", "expected a number"),
        ("hop(gateway->payment).wire_ms.p95 <", "expected a number"),
        ("hop(gateway->payment).wire_ms.p97 < 5", "not wire_ms.p97"),
        ("hop.wire_ms.p95 < 5", "needs a name"),
        ("link(a->b).p95 < 5", "expected one of hop, operation"),
        ("operation(x).p95_ms < 5%", "is not a rate"),
        ("hop(a->b).calls < 5ms", "is not a time"),
        ("findings == 0ms", "is not a time"),
        ("verdict < ok", "a verdict is =="),
        ("verdict == fine", "one of ok, degraded"),
    ],
)
def test_a_bad_expression_says_what_was_expected(expression: str, says: str) -> None:
    """One clear line that repeats the expression."""
    with pytest.raises(BadBudget) as refused:
        parse(expression)
    assert says in str(refused.value)
    assert repr(expression) in str(refused.value)
