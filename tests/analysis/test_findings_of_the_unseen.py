"""What looks like lost work or a failure and is none: consumers that work unseen, echoes, and answers given twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from analysis.compare import compare
from analysis.compare_frame import frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.diagnose import diagnose
from analysis.diagnosis import Phase
from analysis.findings import Draft
from analysis.observations import Observations, concat
from analysis.observe import observe
from analysis.span_table import LOG_SCHEMA
from tests.analysis.builders import Span, span, table
from tests.analysis.shop_cases import observed
from tests.analysis.shop_traffic import T0, Fault, Traffic, by, constant

MINUTE_NS = 60_000_000_000
PHASES = (Phase("before", T0, T0 + MINUTE_NS, baseline=True), Phase("now", T0 + MINUTE_NS, T0 + 2 * MINUTE_NS))
TRACES = 60


def logs_of(observations: Observations, *services: str) -> pa.Table:
    ids, starts = observations.traces["trace_id"].to_pylist(), observations.traces["start_ns"].to_pylist()
    rows = [
        {"time_ns": start, "trace_id": trace, "service": service}
        for trace, start in zip(ids, starts, strict=True)
        for service in services
    ]
    return pa.Table.from_pylist(rows, schema=LOG_SCHEMA)


def test_a_consumer_that_logs_its_work_is_silent_and_its_messages_are_not_lost() -> None:
    """Its spans stop, its log records go on; where they stop as well, the messages are lost."""
    untraced = Traffic(seed=2, start_s=60, fails={"gateway->fulfillment": Fault(None)})
    both = observed(Traffic(seed=1), untraced)
    (finding,) = diagnose(both, phases=PHASES, logs=logs_of(both, "gateway", "fulfillment")).findings
    assert (finding.culprit, finding.cause) == ("fulfillment", "silent")
    assert "it logged its work" in finding.summary
    assert [f.cause for f in diagnose(both, phases=PHASES, logs=logs_of(both, "gateway")).findings] == ["lost_message"]


def test_a_queue_behind_a_flooded_consumer_is_a_symptom() -> None:
    """Orders come all at once when their link is back; the mails behind them wait in their turn."""
    few = {"traces": 300, "checkouts": 1.0}
    released = replace(
        Traffic(seed=2, start_s=60, **few),  # type: ignore[arg-type]
        request={
            "gateway->fulfillment": lambda _, n: np.linspace(60_000, 50, n),
            "fulfillment->email": constant(250),
        },
    )
    found = diagnose(observed(Traffic(seed=1, **few), released), phases=PHASES).findings  # type: ignore[arg-type]
    assert [(f.culprit, f.cause) for f in found] == [("gateway->fulfillment", "stall")]


def test_one_set_alone_shows_a_slow_hop_though_everything_varies() -> None:
    """Durations of the operation are one broad group; those of one hop are two."""
    everything = {hop: (lambda g, n: g.exponential(80, n)) for hop in ("locust->gateway", "gateway->inventory")}
    mixed = Traffic(seed=5, noise=0.6, response={**everything, "gateway->payment": by(0.25, 600)})
    (finding,) = diagnose(observed(mixed)).findings
    assert (finding.culprit, finding.cause, finding.leg) == ("gateway->payment", "delay", "response")
    assert finding.delta_ms == pytest.approx(600, rel=0.05)
    quiet = diagnose(observed(replace(mixed, response=everything)))
    assert quiet.findings == ()


def _checkout(name: str, *, fails: bool) -> list[Span]:
    """The gateway calls payment; where that fails, the gateway's own answer is a 502, which its send span repeats."""
    error = "ConnectionResetError" if fails else None
    status = 502 if fails else 200
    gateway = {"trace": name, "service": "gateway"}
    return [
        span("U", trace=name, service="user", name="POST", kind="client", ms=30, http_status=status, error=fails),
        span("G", parent="U", name="POST /checkout", kind="server", start_ms=1, ms=28, http_status=status,
             error=fails, **gateway),  # type: ignore[arg-type]
        span("C", parent="G", name="POST", kind="client", start_ms=3, ms=20, error_type=error, **gateway),  # type: ignore[arg-type]
        span("W", parent="G", name="POST /checkout http send", kind="internal", start_ms=26, ms=1, error=fails,
             **gateway),  # type: ignore[arg-type]
        span("P", parent="C", trace=name, service="payment", name="POST /charge", kind="server", start_ms=5, ms=15),
    ]  # fmt: skip


def drafts_of(before: list[Span], now: list[Span]) -> list[Draft]:
    parts = [observe(table(*before)), observe(table(*now))]
    side = np.repeat([BASELINE, CURRENT], [len(p.traces) for p in parts]).astype(np.int8)
    return compare(Comparison(frame(concat(parts)), side)).drafts


def test_what_a_service_says_of_its_own_bad_answer_is_an_echo() -> None:
    """A 502 because a call was cut is the hop's failure; the span that sends the 502 is marked as an error as well."""
    before = [s for i in range(TRACES) for s in _checkout(f"a{i}", fails=False)]
    now = [s for i in range(TRACES) for s in _checkout(f"b{i}", fails=i % 2 == 0)]
    (draft,) = drafts_of(before, now)
    assert (draft.finding.culprit, draft.finding.cause) == ("gateway->payment", "lost_response")


def _repeated(name: str, pause_ms: float) -> list[Span]:
    """One CLIENT span; with a pause, its library heard no answer to the first request and sent it again."""
    spans = [
        span("C", trace=name, service="user", name="GET", kind="client", ms=20 + 2 * pause_ms),
        span("S", parent="C", trace=name, service="gateway", name="GET /", kind="server", start_ms=3, ms=12),
    ]
    if pause_ms:
        spans.append(
            span("T", parent="C", trace=name, service="gateway", name="GET /", kind="server",
                 start_ms=3 + 2 * pause_ms, ms=12)
        )  # fmt: skip
    return spans


def test_a_request_served_twice_within_one_call_lost_its_first_answer() -> None:
    """The server was quick both times: it is the response that hangs."""
    before = [s for i in range(TRACES) for s in _repeated(f"a{i}", 0)]
    now = [s for i in range(TRACES) for s in _repeated(f"b{i}", 2_500)]
    draft = next(d for d in drafts_of(before, now) if d.finding.kind == "latency")
    assert (draft.finding.culprit, draft.finding.cause, draft.finding.leg) == ("user->gateway", "stall", "response")
