"""Every kind of fault on the synthetic shop: one finding, with the right place, leg and cause, and no second one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.analysis.shop_cases import compared, drafts_of
from tests.analysis.shop_traffic import CHECKOUT, Fault, Traffic, by, constant, uniform

BASE = Traffic(seed=1)
NOW = Traffic(seed=2, start_s=60)
RAISES = Fault("RuntimeError", 0.2, arrives=True, callee_fails=True)

SLOW = {
    "delay of a request": (
        {"request": {"gateway->payment": constant(20)}},
        ("gateway->payment", "payment", "gateway->payment", "delay", "request", 20),
    ),
    "delay of a response": (
        {"response": {"gateway->payment": constant(1500)}},
        ("gateway->payment", "payment", "gateway->payment", "delay", "response", 1500),
    ),
    "delay with some jitter": (
        {"response": {"gateway->payment": uniform(70, 130)}},
        ("gateway->payment", "payment", "gateway->payment", "delay", "response", 100),
    ),
    "jitter": (
        {"response": {"gateway->payment": uniform(0, 200)}},
        ("gateway->payment", "payment", "gateway->payment", "jitter", "response", 100),
    ),
    "delay of some connections": (
        {"response": {"gateway->payment": by(0.2, 300)}},
        ("gateway->payment", "payment", "gateway->payment", "delay", "response", None),
    ),
    "slow entrance": (
        {"response": {"locust->gateway": constant(100)}},
        ("locust->gateway", "gateway", "locust->gateway", "delay", "response", 100),
    ),
    "slow cache": (
        {"request": {"inventory->redis": constant(30)}},
        ("inventory->redis", "redis", "inventory->redis", "delay", None, 30),
    ),
    "slow database link": (
        {"request": {"inventory->postgresql": constant(40)}, "own": {"inventory": constant(35)}},
        ("inventory->postgresql", "postgresql", "inventory->postgresql", "delay", None, 40),
    ),
    "slow database": (
        {"request": {"inventory->postgresql": constant(40), "fulfillment->postgresql": constant(40)}},
        ("postgresql", "postgresql", None, "delay", None, 40),
    ),
    "slow delivery": (
        {"request": {"gateway->fulfillment": constant(200)}},
        ("gateway->fulfillment", "fulfillment", "gateway->fulfillment", "delay", None, 200),
    ),
    "slow broker": (
        {"request": {"gateway->fulfillment": constant(200), "fulfillment->email": constant(210)}},
        ("nats", "nats", None, "delay", None, 205),
    ),
    "slow service": ({"own": {"payment": constant(80)}}, ("payment", "payment", None, "self", None, 80)),
    "busy service, whose hops wait for it": (
        {
            "own": {"payment": constant(80)},
            "request": {"gateway->payment": constant(50)},
            "response": {"payment->bank": constant(10)},
        },
        ("payment", "payment", None, "self", None, 80),
    ),
    "slow third party": ({"own": {"bank": constant(80)}}, ("bank", "bank", None, "self", None, 80)),
    "slow consumer with a backlog": (
        {"own": {"fulfillment": constant(100)}, "request": {"gateway->fulfillment": uniform(0, 3000)}},
        ("fulfillment", "fulfillment", None, "self", None, 100),
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_slowness(name: str) -> None:
    """Place, cause and leg are right, the interval holds the size, and it explains most of the slowdown."""
    change, (culprit, service, hop, cause, leg, size_ms) = SLOW[name]
    (finding,) = compared(BASE, replace(NOW, **change))
    assert (finding.kind, finding.culprit, finding.service) == ("latency", culprit, service)
    assert (finding.hop, finding.cause, finding.leg) == (hop, cause, leg)
    assert finding.delta_ms is not None
    assert finding.interval_ms is not None
    if size_ms is not None:
        assert finding.delta_ms == pytest.approx(size_ms, rel=0.15)
    assert finding.interval_ms[0] <= finding.delta_ms <= finding.interval_ms[1]
    assert len(finding.traces) == 3
    assert finding.confidence > 0.98
    assert finding.since_ns is not None
    assert finding.operation is not None


FAILING = {
    "refused": (Fault("ConnectionRefusedError", 1.0), ("gateway->payment", "refused", "request")),
    "reset": (Fault("ConnectionResetError", 0.3), ("gateway->payment", "reset", "request")),
    "hang before the callee": (Fault("TimeoutError", 1.0, waits_ms=5_000), ("gateway->payment", "stall", "request")),
    "hang after the callee": (
        Fault("TimeoutError", 1.0, waits_ms=5_000, arrives=True),
        ("gateway->payment", "stall", "response"),
    ),
    "lost response": (
        Fault("ConnectionResetError", 1.0, waits_ms=30, arrives=True),
        ("gateway->payment", "lost_response", "response"),
    ),
    "error": (RAISES, ("payment", "error", None)),
}


@pytest.mark.parametrize("name", FAILING)
def test_failures(name: str) -> None:
    """One finding where the failure started; callers above, and work that fell away below, are no findings."""
    fault, (culprit, cause, leg) = FAILING[name]
    (finding,) = compared(BASE, replace(NOW, fails={"gateway->payment": fault}))
    assert (finding.kind, finding.culprit, finding.cause, finding.leg) == ("failure", culprit, cause, leg)
    assert (finding.hop, finding.service) == ("gateway->payment", "payment")
    assert finding.rate == pytest.approx(fault.rate, abs=0.08)
    assert finding.count == pytest.approx(210 * fault.rate, abs=17)
    assert len(finding.traces) == 3


def test_an_error_far_below_is_blamed_where_it_began() -> None:
    """The bank fails; payment and the gateway only pass it on."""
    (finding,) = compared(BASE, replace(NOW, fails={"payment->bank": replace(RAISES, rate=1.0)}))
    assert (finding.culprit, finding.hop, finding.cause) == ("bank", "payment->bank", "error")


def test_lost_messages_are_counted() -> None:
    """The number of messages that nobody consumed, with traces to look at."""
    now = replace(NOW, fails={"gateway->fulfillment": Fault(None, 0.5)})
    (finding,) = compared(BASE, now)
    lost = finding.count or 0
    assert (finding.culprit, finding.cause, finding.kind) == ("gateway->fulfillment", "lost_message", "failure")
    assert 80 <= lost <= 130
    assert f"{lost} of 210 messages" in finding.summary


STRUCTURE = {
    "a message is not sent": (
        {"without": ("gateway->fulfillment",)},
        ("gateway->fulfillment", "gateway", "missing_hop"),
    ),
    "a service returns early": ({"without": ("payment->bank",)}, ("payment", "payment", "early_return")),
    "early return of one with several callees": (
        {"without": ("inventory->redis", "inventory->postgresql")},
        ("inventory", "inventory", "early_return"),
    ),
    "one of several calls is left out": (
        {"without": ("inventory->postgresql",)},
        ("inventory->postgresql", "inventory", "missing_hop"),
    ),
    "a service loses the context": ({"torn": ("payment",)}, ("gateway->payment", "payment", "broken_context")),
    "a consumer loses the context": (
        {"torn": ("fulfillment",)},
        ("gateway->fulfillment", "fulfillment", "broken_context"),
    ),
    "a service stops tracing": ({"untraced": ("payment", "bank")}, ("payment", "payment", "silent")),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure(name: str) -> None:
    """What traces lack is named once, at the service that is to blame."""
    change, (culprit, service, cause) = STRUCTURE[name]
    (finding,) = compared(BASE, replace(NOW, **change))
    assert (finding.culprit, finding.service, finding.cause) == (culprit, service, cause)
    assert finding.rate == 1.0


def test_a_new_hop() -> None:
    """A hop that the baseline never had."""
    (finding,) = compared(replace(BASE, without=("inventory->redis",)), NOW)
    assert (finding.culprit, finding.cause, finding.service) == ("inventory->redis", "new_hop", "inventory")


def test_one_instance_is_blamed_when_it_alone_changed() -> None:
    """The size is what that instance adds, not its share in the mean of all."""
    base = replace(BASE, instances={"payment": 4})
    slow = replace(NOW, instances={"payment": 4}, own_of_instance={("payment", 2): 150})
    (finding,) = compared(base, slow)
    assert (finding.culprit, finding.instance) == ("payment", "payment-2")
    assert finding.delta_ms == pytest.approx(150, rel=0.02)
    all_slow = replace(NOW, instances={"payment": 4}, own={"payment": constant(150)})
    assert compared(base, all_slow)[0].instance is None


def test_clocks_that_disagree_do_not_move_the_leg() -> None:
    """Two hosts 300 ms apart: a change of 1,500 ms is far beyond what the clocks leave open, one of 1 ms is not."""
    apart = {"host_of": {"payment": "h2"}, "clock_ms": {"payment": 300.0}}
    base = replace(BASE, **apart)
    (large,) = compared(base, replace(NOW, **apart, response={"gateway->payment": constant(1500)}))
    (small,) = compared(base, replace(NOW, **apart, response={"gateway->payment": constant(3)}))
    assert (large.leg, small.leg) == ("response", None)
    assert small.delta_ms == pytest.approx(3, rel=0.1)


def test_two_faults_are_two_findings_in_the_order_of_their_cost() -> None:
    """One does not hide the other."""
    now = replace(
        NOW, response={"gateway->payment": constant(300)}, request={"inventory->redis": constant(60)}
    )  # fmt: skip
    assert [f.culprit for f in compared(BASE, now)] == ["gateway->payment", "inventory->redis"]


def test_a_machine_that_is_busy_is_nobodys_fault() -> None:
    """Everything takes twice as long: no place stands out. One that takes twenty times as long still does."""
    busy = {
        "request": {e.hop: constant(e.request_ms) for e in CHECKOUT},
        "response": {e.hop: constant(e.response_ms) for e in CHECKOUT},
        "own": {e.callee: constant(e.own_ms) for e in CHECKOUT if e.kind != "peer"},
    }
    assert compared(BASE, replace(NOW, **busy)) == ()
    worse = {**busy, "request": {**busy["request"], "gateway->payment": constant(60)}}
    assert [f.culprit for f in compared(BASE, replace(NOW, **worse))] == ["gateway->payment"]


def test_tens_of_traces_are_enough_for_a_clear_change() -> None:
    """Fifteen traces a side: the true cause comes first."""
    few = {"traces": 15, "checkouts": 1.0}
    now = replace(NOW, **few, response={"payment->bank": constant(25)})
    assert compared(replace(BASE, **few), now)[0].culprit == "payment->bank"


def test_spans_without_kinds_still_name_the_hop() -> None:
    """Kinds are inferred from changes of service."""
    now = replace(NOW, kinds=False, response={"gateway->payment": constant(200)})
    assert compared(replace(BASE, kinds=False), now)[0].culprit == "gateway->payment"


def test_what_was_folded_is_remembered() -> None:
    """The cause keeps the names of its symptoms."""
    busy = replace(NOW, own={"payment": constant(80)}, request={"gateway->payment": constant(50)})
    (draft,) = drafts_of(BASE, busy)
    assert "gateway->payment" in draft.folded
