"""A diagnosis made by hand, with the shape of the demo's: what the renderers are tested with."""

from __future__ import annotations

from analysis.diagnosis import (
    Accounting,
    Diagnosis,
    Finding,
    HopStats,
    HopSummary,
    InputSummary,
    OperationSummary,
    Percentiles,
    PhaseSummary,
)

START_NS = 1_767_225_600_000_000_000  # 2026-01-01 00:00:00 UTC: no report may read the clock of the machine
SECOND_NS = 1_000_000_000

SLOW_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LOST_TRACE = "0af7651916cd43dd8448eb211c80319c"


def accounting(own: float, wire: float, peer: float, queue: float, overlap: float, gap: float) -> Accounting:
    return Accounting(own + wire + peer + queue + overlap + gap, own, wire, peer, queue, overlap, gap)


CHECKOUT_BUDGET = accounting(9_200.0, 401_300.5, 18_420.25, 0.0, 310.0, 26_120.0)
BROWSE_BUDGET = accounting(2_100.0, 1_012.0, 6_800.0, 0.0, 0.0, 1_500.0)
ALL_BUDGET = accounting(11_300.0, 402_312.5, 25_220.25, 0.0, 310.0, 27_620.0)

CHECKOUT = OperationSummary(
    "locust POST /checkout", 612, 3, 131.0, 1_652.4, 1_701.9, CHECKOUT_BUDGET, 142.0, 1_671.3
)  # fmt: skip
BROWSE = OperationSummary("locust GET /catalogue", 1_320, 0, 7.31, 14.8, 22.4, BROWSE_BUDGET, 7.31, 14.8)

PAYMENT_HOP = HopSummary(
    "gateway->payment",
    "call",
    HopStats(
        612, 2, Percentiles(1_501.2, 1_540.0, 1_571.5), Percentiles(0.61, 1.2, 2.1),
        Percentiles(1_500.6, 1_538.9, 1_569.8), None, {"timeout": 2}, retries=1,
    ),
    HopStats(
        298, 0, Percentiles(1.21, 2.9, 4.4), Percentiles(0.6, 1.3, 2.0), Percentiles(0.6, 1.6, 2.4), None, {}
    ),
)  # fmt: skip
ORDER_HOP = HopSummary(
    "gateway->fulfillment",
    "message",
    HopStats(212, 37, None, None, None, Percentiles(1.9, 4.8, 9.1), {"lost_message": 37}),
    HopStats(298, 0, None, None, None, Percentiles(1.8, 4.1, 7.7), {}),
)
DATABASE_HOP = HopSummary(
    "inventory->postgresql",
    "peer",
    HopStats(3_864, 0, Percentiles(1.4, 3.3, 5.0), None, None, None, {}),
    None,
)

SLOW_PAYMENT = Finding(
    rank=1,
    kind="latency",
    culprit="gateway->payment",
    service="payment",
    hop="gateway->payment",
    cause="delay",
    leg="response",
    delta_ms=1_500.3,
    interval_ms=(1_497.9, 1_504.2),
    share=0.987,
    rate=None,
    confidence=0.995,
    traces=(SLOW_TRACE, "a3ce929d0e0e47364bf92f3577b34da6", "9d0e0e4736a3ce924bf92f3577b34da6"),
    summary="The response of gateway->payment arrives 1,500 ms later than in baseline; no service's own time grew.",
    count=204,
    phase="slow-payment",
    since_ns=START_NS + 30 * SECOND_NS,
    operation="locust POST /checkout",
)
LOST_ORDERS = Finding(
    rank=2,
    kind="failure",
    culprit="gateway->fulfillment",
    service="fulfillment",
    hop="gateway->fulfillment",
    cause="lost_message",
    leg=None,
    delta_ms=None,
    interval_ms=None,
    share=None,
    rate=0.1745,
    confidence=1.0,
    traces=(LOST_TRACE,),
    summary="37 of 212 messages from gateway to fulfillment were never consumed.",
    count=37,
    phase="lost-orders",
    since_ns=START_NS + 55 * SECOND_NS,
    operation="locust POST /checkout",
)


def _phase(name: str, start_s: int, end_s: int, findings: tuple[int, ...] = ()) -> PhaseSummary:
    verdict = "failing" if 2 in findings else "degraded" if findings else "ok"
    return PhaseSummary(
        name,
        START_NS + start_s * SECOND_NS,
        START_NS + end_s * SECOND_NS,
        name == "baseline",
        verdict,
        (CHECKOUT, BROWSE),
        findings,
    )


DEMO = Diagnosis(
    input=InputSummary(
        1_932,
        41_233,
        12,
        ("bank", "email", "fulfillment", "gateway", "inventory", "locust", "payment"),
        ("otlp/traces-0003.binpb: the last frame is cut short after 1,204 of 4,096 bytes; it was left out",),
    ),
    verdict="failing",
    accounting=ALL_BUDGET,
    operations=(CHECKOUT, BROWSE),
    hops=(PAYMENT_HOP, ORDER_HOP, DATABASE_HOP),
    findings=(SLOW_PAYMENT, LOST_ORDERS),
    phases=(
        _phase("baseline", 0, 25),
        _phase("slow-payment", 27, 52, (1,)),
        _phase("lost-orders", 54, 74, (2,)),
        _phase("recovery", 76, 90),
    ),
    logs={"gateway": 1_224, "payment": 612},
)

EMPTY = Diagnosis(
    input=InputSummary(0, 0, 0, (), ()),
    verdict="inconclusive",
    accounting=accounting(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    operations=(),
    hops=(),
    findings=(),
    reasons=("No trace was read.",),
)
