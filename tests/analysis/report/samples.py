"""A diagnosis made by hand, with the shape of the demo's: what the renderers are tested with."""

from __future__ import annotations

from analysis.budget import evaluate, parse
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
from analysis.report.attachments import Attachments
from analysis.report.distributions import Distribution, Series
from analysis.report.exemplar import Exemplar, LogLine, Part, Row, Stretch
from analysis.report.failure_rates import FailureBin, FailureRate
from analysis.report.timeline import Bin, Timeline
from analysis.scorecard import Fault, score

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


def _row(
    part: Part, depth: int, service: str, name: str, start_ms: float, ms: float, span_id: int, budget: str = "",
    hop: str = "", failure: str = "",
) -> Row:  # fmt: skip
    """`budget` is `category start_ms ms`, comma-separated."""
    start_ns, end_ns = _at(start_ms), _at(start_ms + ms)
    stretches = [piece.split() for piece in budget.split(",") if piece]
    return Row(
        part, depth, service, name, start_ns, end_ns, span_id, hop, failure,
        tuple(Stretch(_at(float(a)), _at(float(a) + float(b)), category) for category, a, b in stretches),
    )  # fmt: skip


def _at(ms: float) -> int:
    return START_NS + 31 * SECOND_NS + round(ms * 1e6)


SLOW_CHECKOUT = Exemplar(
    trace_id=SLOW_TRACE,
    title="locust POST /checkout",
    start_ns=_at(0),
    root_end_ns=_at(1612),
    end_ns=_at(1660),
    rows=(
        _row("span", 0, "locust", "POST /checkout", 0, 1612, 1),
        _row("request_leg", 1, "locust", "request leg", 0, 1, 1, "wire 0 1", "locust->gateway"),
        _row("span", 1, "gateway", "POST /checkout", 1, 1610, 2),
        _row("gap", 2, "gateway", "gap", 1, 6, 2, "gap 1 6"),
        _row("span", 2, "gateway", "POST", 7, 12, 3),
        _row("request_leg", 3, "gateway", "request leg", 7, 1, 3, "wire 7 1", "gateway->inventory"),
        _row("span", 3, "inventory", "POST /reservations", 8, 10, 4, "gap 8 2,gap 16 2"),
        _row("span", 4, "inventory", "UPDATE stock", 10, 6, 5, "peer 10 6", "inventory->postgresql"),
        _row("response_leg", 3, "gateway", "response leg", 18, 1, 3, "wire 18 1", "gateway->inventory"),
        _row("span", 2, "gateway", "POST", 19, 1520, 6),
        _row("request_leg", 3, "gateway", "request leg", 19, 0.7, 6, "wire 19 0.7", "gateway->payment"),
        _row("span", 3, "payment", "POST /charges", 19.7, 18.3, 7, "self 19.7 18.3"),
        _row("response_leg", 3, "gateway", "response leg", 38, 1501, 6, "wire 38 1501", "gateway->payment"),
        _row("gap", 2, "gateway", "gap", 1539, 70, 2, "gap 1539 70"),
        _row("span", 2, "gateway", "orders publish", 1609, 2, 8, "self 1609 2", "gateway->email"),
        _row("queue", 3, "gateway", "waiting", 1611, 29, 8, "", "gateway->email"),
        _row("span", 3, "email", "orders process", 1640, 20, 9),
        _row("response_leg", 1, "locust", "response leg", 1611, 1, 1, "wire 1611 1", "locust->gateway"),
    ),
    logs=(
        LogLine(_at(9), "inventory", 9, "reserved 2 items", 4),
        LogLine(_at(37), "payment", 9, "charged 42.00 EUR", 7),
        LogLine(_at(1540), "gateway", 13, "payment took 1520 ms", 2),
    ),
    findings=(1,),
)
LOST_ORDER = Exemplar(
    trace_id=LOST_TRACE,
    title="locust POST /checkout",
    start_ns=_at(0),
    root_end_ns=_at(120),
    end_ns=_at(120),
    rows=(
        _row("span", 0, "locust", "POST /checkout", 0, 120, 1, "wire 0 1,wire 119 1"),
        _row("span", 1, "gateway", "POST /checkout", 1, 118, 2, "gap 1 99,gap 105 14"),
        _row("span", 2, "gateway", "orders publish", 100, 5, 3, "self 100 5", "gateway->fulfillment", "lost message"),
        _row("lost", 3, "fulfillment", "never consumed", 105, 15, 3, "", "gateway->fulfillment", "lost message"),
    ),
    findings=(2,),
)

DEMO_TIMELINE = Timeline(
    tuple(
        Bin(
            START_NS + second * SECOND_NS,
            START_NS + (second + 1) * SECOND_NS,
            0 if second == 26 else 20,
            1 if second == 40 else 0,
            None if second == 26 else 12.0 + second % 3,
            None if second == 26 else 1_600.0 if 27 <= second < 52 else 140.0,
        )
        for second in range(90)
    )
)  # fmt: skip


def _bell(middle: int) -> tuple[float, ...]:
    heights = [2.0 ** -abs(index - middle) for index in range(12)]
    return tuple(height / sum(heights) for height in heights)


DEMO_DISTRIBUTION = Distribution(
    rank=1,
    quantity="response leg of gateway->payment",
    logarithmic=True,
    edges_ms=tuple(0.5 * 2.0**index for index in range(13)),
    series=(Series("baseline", 298, 0.6, 1.6, _bell(1)), Series("slow-payment", 204, 1_500.6, 1_538.9, _bell(11))),
)

DEMO_FAILURES = FailureRate(
    2,
    "gateway->fulfillment",
    tuple(
        FailureBin(
            START_NS + second * SECOND_NS,
            START_NS + (second + 1) * SECOND_NS,
            0 if 54 <= second < 74 else 4,
            3 if 54 <= second < 74 else 0,
        )
        for second in range(90)
    ),
)

DEMO_SCORECARD = score(
    DEMO.findings,
    (
        Fault(
            "latency", "slow-payment", "latency", link="gateway->payment", stream="downstream", asked_ms=1_500.0,
            measured_ms=1_501.8,
        ),
        Fault("cut", "lost-orders", "cut", link="nats->fulfillment"),
        Fault("burn", "lost-orders", "burn_ms", service="email", asked_ms=50.0),
        Fault("slow_close", "recovery", "slow_close", link="inventory->redis", took_effect=False),
    ),
    {
        "gateway->payment": ("gateway->payment",),
        "nats->fulfillment": ("gateway->fulfillment",),
        "inventory->redis": ("inventory->redis",),
    },
    ("slow-payment", "lost-orders", "recovery"),
)  # fmt: skip

DEMO_BUDGETS = tuple(
    evaluate(parse(expression), DEMO)
    for expression in ("hop(gateway->payment).wire_ms.p95 < 50", "hop(inventory->postgresql).wire_ms.p95 < 50 ms")
)

DEMO_ATTACHMENTS = Attachments(
    source="runs/2026-01-01T00-00-00Z-lost-seconds",
    exemplars=(SLOW_CHECKOUT, LOST_ORDER),
    distributions=(DEMO_DISTRIBUTION,),
    failure_rates=(DEMO_FAILURES,),
    timeline=DEMO_TIMELINE,
    budgets=DEMO_BUDGETS,
    scorecard=DEMO_SCORECARD,
    files=("runs/2026-01-01T00-00-00Z-lost-seconds/report.html",),
    commands=(f"tracegap trace {SLOW_TRACE[:8]} runs/2026-01-01T00-00-00Z-lost-seconds",),
)
