"""The whole diagnosis: phases, baselines, verdicts, and what must not change it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from analysis.diagnose import diagnose
from analysis.diagnosis import Diagnosis, Phase
from analysis.observations import Observations, concat
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from analysis.span_table import LOG_SCHEMA
from tests.analysis.shop_cases import observed
from tests.analysis.shop_traffic import T0, Fault, Traffic, by, constant, spans_of, uniform

NAMES = ("baseline", "slow-payment", "lost-orders", "recovery")
MINUTE_NS = 60_000_000_000
PHASES = tuple(
    Phase(name, T0 + i * MINUTE_NS, T0 + (i + 1) * MINUTE_NS, baseline=name == "baseline")
    for i, name in enumerate(NAMES)
)
DEMO = (
    Traffic(seed=1),
    Traffic(seed=2, start_s=60, response={"gateway->payment": constant(1500)}),
    Traffic(seed=3, start_s=120, fails={"gateway->fulfillment": Fault(None)}),
    Traffic(seed=4, start_s=180),
)


@pytest.fixture(scope="module")
def demo() -> Diagnosis:
    return diagnose(observed(*DEMO), phases=PHASES)


def test_the_demo_has_its_two_findings_and_no_third(demo: Diagnosis) -> None:
    """1.5 s on the response leg of gateway->payment, and orders that nobody fulfils."""
    lost, slow = demo.findings
    assert (lost.phase, lost.culprit, lost.cause, lost.count) == (
        "lost-orders", "gateway->fulfillment", "lost_message", 210,
    )  # fmt: skip
    assert (slow.phase, slow.culprit, slow.cause, slow.leg) == ("slow-payment", "gateway->payment", "delay", "response")
    assert slow.delta_ms == pytest.approx(1500, rel=0.01)
    assert slow.share == pytest.approx(1.0, abs=0.02)
    assert [len(f.traces) for f in demo.findings] == [3, 3]


def test_phases_have_verdicts_of_their_own(demo: Diagnosis) -> None:
    """What went wrong in one phase does not taint the next."""
    assert [(p.name, p.verdict) for p in demo.phases] == [
        ("baseline", "ok"), ("slow-payment", "degraded"), ("lost-orders", "failing"), ("recovery", "ok"),
    ]  # fmt: skip
    assert [p.findings for p in demo.phases] == [(), (2,), (1,), ()]
    assert demo.verdict == "failing"


def test_accounting_is_closed(demo: Diagnosis) -> None:
    """The parts add up to the whole, of the input and of each operation."""
    for a in (demo.accounting, *(o.accounting for o in demo.operations)):
        assert a.root_ms == pytest.approx(a.self_ms + a.wire_ms + a.peer_ms + a.queue_ms + a.overlap_ms + a.gap_ms)


def test_hops_stand_beside_their_baseline(demo: Diagnosis) -> None:
    """Percentiles of the phases under test, and of the baseline, with legs where one clock allows."""
    hop = next(h for h in demo.hops if h.hop == "gateway->payment")
    assert hop.baseline is not None
    assert hop.stats.wire_ms is not None
    assert hop.baseline.wire_ms is not None
    assert hop.stats.response_leg_ms is not None
    assert hop.stats.wire_ms.p95 > 1500 > hop.baseline.wire_ms.p99
    messages = next(h for h in demo.hops if h.hop == "gateway->fulfillment")
    assert messages.stats.failures == {"lost_message": 210}
    assert messages.stats.wire_ms is None
    assert messages.stats.queue_ms is not None


def test_order_and_batches_change_nothing(demo: Diagnosis) -> None:
    """Rows shuffled, traces observed in seven batches of any mix: the same diagnosis to the last digit."""
    spans = spans_of(*DEMO)
    generator = np.random.default_rng(9)
    shuffled = spans.take(pa.array(generator.permutation(len(spans))))
    ids = shuffled["trace_id"].to_pylist()
    batch = np.array([i[0] % 7 for i in ids])
    parts = [observe(shuffled.filter(pa.array(batch == b))) for b in generator.permutation(7)]
    assert diagnose(resolve_callees(concat(parts), {}), phases=PHASES) == demo


def test_a_baseline_of_its_own_file() -> None:
    """Traces of a good day against traces of a bad one."""
    found = diagnose(observed(DEMO[1]), baseline=observed(DEMO[0]))
    assert [(f.culprit, f.phase) for f in found.findings] == [("gateway->payment", None)]
    assert found.input.traces == 300
    assert found.hops[0].baseline is not None


def test_one_set_alone_is_its_own_baseline() -> None:
    """Slow traces against fast ones of the same operation, and failures as they are."""
    mixed = Traffic(
        seed=5, response={"gateway->payment": by(0.15, 900)}, fails={"gateway->fulfillment": Fault(None, 0.1)}
    )
    found = diagnose(observed(mixed))
    assert {(f.culprit, f.cause) for f in found.findings} == {
        ("gateway->payment", "delay"), ("gateway->fulfillment", "lost_message"),
    }  # fmt: skip


def test_one_healthy_set_alone_has_no_finding() -> None:
    """The slowest traces of ordinary traffic are not anomalies."""
    for seed in range(6):
        found = diagnose(observed(Traffic(seed=seed, noise=0.5)))
        assert (found.findings, found.verdict) == ((), "ok")


def test_an_aftermath_belongs_to_its_fault() -> None:
    """Messages lost in the first seconds after the cut are no finding of the recovery."""
    late = Traffic(seed=6, start_s=180, seconds=2, traces=40, fails={"gateway->fulfillment": Fault(None)})
    found = diagnose(observed(*DEMO[:3], late, Traffic(seed=7, start_s=182, seconds=58)), phases=PHASES)
    assert [f.phase for f in found.findings if f.cause == "lost_message"] == ["lost-orders"]
    assert "went on into recovery" in found.findings[0].summary


def few(traffic: Traffic) -> Observations:
    return observed(replace(traffic, traces=4))


@pytest.mark.parametrize(
    ("observations", "baseline", "says"),
    [
        (few(Traffic(seed=1)), observed(Traffic(seed=2)), "The input has 4 traces: too few"),
        (observed(Traffic(seed=1)), few(Traffic(seed=2)), "The baseline has 4 traces: too few"),
        (few(Traffic(seed=1)), None, "no baseline: too few to tell slow from fast"),
        (
            observed(Traffic(seed=1, checkouts=1.0)),
            observed(Traffic(seed=2, checkouts=0.0)),
            "operations that the baseline lacks (locust POST /checkout)",
        ),
        (observe(spans_of(Traffic(seed=1)).slice(0, 0)), None, "There are no traces"),
    ],
)
def test_thin_coverage_is_never_shown_as_clean(
    observations: Observations, baseline: Observations | None, says: str
) -> None:
    """Nothing found, and a reason why: inconclusive, not ok."""
    found = diagnose(observations, baseline=baseline)
    assert found.verdict == "inconclusive"
    assert any(says in reason for reason in found.reasons)


def test_incomplete_traces_make_it_inconclusive() -> None:
    """Spans whose parents never arrived: say whose, instead of a clean bill."""
    spans = spans_of(Traffic(seed=1))
    lost = np.asarray([s in ("gateway",) for s in spans["service"].to_pylist()])
    halved = spans.filter(pa.array(~(lost & (np.arange(len(spans)) % 2 == 0))))
    found = diagnose(resolve_callees(observe(halved), {}))
    assert any("incomplete" in reason for reason in found.reasons)
    assert found.verdict != "ok"


def test_a_service_that_stops_logging() -> None:
    """It does its work as before; its records are gone."""
    observations = observed(Traffic(seed=1), Traffic(seed=2, start_s=60))
    start = observations.traces["start_ns"].to_numpy()
    ids = observations.traces["trace_id"].to_pylist()
    rows = [
        {"time_ns": int(s), "trace_id": i, "service": service}
        for s, i in zip(start, ids, strict=True)
        for service in ("gateway", "inventory")
        if service == "gateway" or s < PHASES[1].start_ns
    ]
    logs = pa.Table.from_pylist(rows, schema=LOG_SCHEMA)
    (finding,) = diagnose(observations, phases=PHASES[:2], logs=logs).findings
    assert (finding.culprit, finding.cause) == ("inventory", "silent")
    assert "stopped logging" in finding.summary


def test_durable_delivery_shows_as_waiting_not_as_loss() -> None:
    """Messages that all arrive when the link comes back: the queue stood still."""
    n = 300

    def until_the_end(_: np.random.Generator, rows: int) -> np.ndarray:
        return np.linspace(60_000, 50, rows)

    stalled = Traffic(traces=n, checkouts=1.0, seed=2, start_s=60, request={"gateway->fulfillment": until_the_end})
    found = diagnose(observed(Traffic(seed=1, checkouts=1.0), stalled), phases=PHASES[:2]).findings
    assert [(f.culprit, f.kind, f.cause) for f in found] == [("gateway->fulfillment", "latency", "stall")]


def test_bandwidth_grows_with_the_payload() -> None:
    """A link of 100 KiB/s: time that the size of the answer explains."""
    sizes = uniform(2_000, 60_000)
    rate = 100 * 1024

    def by_size(generator: np.random.Generator, n: int) -> np.ndarray:
        return sizes(np.random.default_rng(77), n) / rate * 1_000

    def same_sizes(generator: np.random.Generator, n: int) -> np.ndarray:
        return sizes(np.random.default_rng(77), n)

    base = Traffic(seed=1, checkouts=1.0, payload={"gateway->inventory": same_sizes})
    now = replace(base, seed=2, start_s=60, response={"gateway->inventory": by_size})
    (finding,) = diagnose(observed(base, now), phases=PHASES[:2]).findings
    assert (finding.culprit, finding.cause) == ("gateway->inventory", "bandwidth")
    assert "100 KiB/s" in finding.summary or "99 KiB/s" in finding.summary or "101 KiB/s" in finding.summary
