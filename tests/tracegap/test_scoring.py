"""The ledger and the plan, as the scorecard sees them."""

from __future__ import annotations

from dataclasses import replace

from analysis.diagnosis import Accounting, Diagnosis, Finding, InputSummary
from faults.ledger import FaultRecord
from faults.plan import Plan
from tracegap.experiment.scoring import scorecard

PLAN = Plan.model_validate(
    {
        "name": "x",
        "phases": [
            {"name": "calm", "duration": "9s"},
            {"name": "slow", "duration": "9s"},
            {"name": "busy", "duration": "9s", "shop": {"payment": {"burn": "50ms", "rate": "50%"}}},
        ],
    }
)
RECORD = FaultRecord(
    fault="slow.0", phase="slow", link="nats->fulfillment", kind="latency", stream="downstream", toxicity=1.0,
    attributes={"latency": 300}, asked_ns=1, asked=300.0, unit="ms", measured=302.0, took_effect=True,
)  # fmt: skip
FINDING = Finding(
    rank=1, kind="latency", culprit="gateway->fulfillment", service="fulfillment", hop="gateway->fulfillment",
    cause="delay", leg=None, delta_ms=301.0, interval_ms=(299.0, 303.0), share=None, rate=None, confidence=0.99,
    traces=(), summary="", phase="slow",
)  # fmt: skip
NOTHING = Diagnosis(InputSummary(0, 0, 0, (), ()), "ok", Accounting(0, 0, 0, 0, 0, 0, 0), (), (), ())


def test_a_fault_on_a_link_is_scored_by_the_hops_that_the_link_carries() -> None:
    """`nats->fulfillment` carries `gateway->fulfillment`, and the error is taken from what a probe measured."""
    card = scorecard(PLAN, [RECORD], replace(NOTHING, findings=(FINDING,)))
    (on_link,) = [one for one in card.faults if one.fault.link]
    assert on_link.found
    assert on_link.hop_right
    assert on_link.error_ms == 301.0 - 302.0
    assert card.false_findings == ()


def test_misbehaviour_is_a_fault_of_its_service() -> None:
    """What a plan tells a service to do wrong is scored beside the ledger, with its share of the work as rate."""
    card = scorecard(PLAN, [], NOTHING)
    (inside,) = card.faults
    assert (inside.fault.service, inside.fault.kind, inside.fault.asked_ms, inside.fault.rate) == (
        "payment",
        "burn_ms",
        50.0,
        0.5,
    )
    assert card.missed == 1


def test_dropped_connections_have_no_milliseconds() -> None:
    """A quantity that is no time is not held against a finding's milliseconds."""
    record = replace(RECORD, kind="drop_first_connections", unit="connections", asked=3.0, measured=3.0)
    card = scorecard(PLAN, [record], replace(NOTHING, findings=(FINDING,)))
    assert next(one for one in card.faults if one.fault.link).fault.asked_ms is None
