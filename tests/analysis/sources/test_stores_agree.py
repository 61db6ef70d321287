"""The same traffic through the real Jaeger, the real Zipkin and our own collector: the same findings."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analysis.diagnose import diagnose
from analysis.diagnosis import Diagnosis, Finding, Phase
from analysis.observe import observe
from analysis.resolve_callees import resolve_callees
from analysis.sources import read
from peers.jaeger import BINARY, jaeger
from peers.zipkin import is_here, zipkin
from tests.analysis.shop_traffic import T0, Fault, Traffic, constant, spans_of
from tests.analysis.sources.exports import otlp_of, zipkin_of
from tests.collector.conftest import collector

pytestmark = pytest.mark.peers

PROTOBUF = {"content-type": "application/x-protobuf"}
WINDOW_S = 60.0
BATCH_SPANS = 1_000


@dataclasses.dataclass(frozen=True)
class Sent:
    """Traffic that ended a moment ago, when it went wrong, and what our own collector's files say about it."""

    spans: pa.Table
    phases: tuple[Phase, ...]
    diagnosis: Diagnosis

    def diagnosed(self, location: str) -> Diagnosis:
        return diagnose(resolve_callees(observe(awaited(location, self.spans)), {}), phases=self.phases)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    shift_ns = (time.time_ns() - int((2 * WINDOW_S + 5) * 1e9) - T0) // 1000 * 1000
    well = Traffic(traces=250, seconds=WINDOW_S, seed=1)
    slow = Traffic(
        traces=250,
        start_s=WINDOW_S,
        seconds=WINDOW_S,
        seed=2,
        response={"gateway->payment": constant(150)},
        fails={
            "gateway->fulfillment": Fault(None, rate=0.4),
            "payment->bank": Fault("TimeoutError", rate=0.2, arrives=True, waits_ms=40),
        },
    )
    spans = in_whole_microseconds(spans_of(well, slow), shift_ns)
    middle_ns, width_ns = T0 + shift_ns + int(WINDOW_S * 1e9), int(WINDOW_S * 1e9)
    phases = (
        Phase("well", middle_ns - width_ns, middle_ns, baseline=True),
        Phase("slow", middle_ns, middle_ns + width_ns),
    )
    with collector(tmp_path_factory.mktemp("stores") / "otlp") as running:
        send_otlp(spans, running.http)
        table = read([str(running.directory)]).spans
    assert len(table) == len(spans)
    return Sent(spans, phases, diagnose(resolve_callees(observe(table), {}), phases=phases))


def in_whole_microseconds(spans: pa.Table, shift_ns: int) -> pa.Table:
    """What neither Jaeger's nor Zipkin's form can carry is cut off before anything is sent."""
    for name in ("start_ns", "end_ns"):
        index = spans.schema.get_field_index(name)
        whole = pc.multiply(pc.divide(pc.add(spans[name], shift_ns), 1000), 1000)
        spans = spans.set_column(index, spans.schema.field(index), whole)
    return spans


def send_otlp(spans: pa.Table, url: str) -> None:
    with httpx.Client(headers=PROTOBUF) as client:
        for message in otlp_of(spans, BATCH_SPANS):
            client.post(f"{url}/v1/traces", content=message.SerializeToString()).raise_for_status()


def awaited(location: str, expected: pa.Table) -> pa.Table:
    """What a store has once it has all spans: stores take a moment to index."""
    deadline = time.monotonic() + 60
    while True:
        table = read([location]).spans
        if len(table) >= len(expected) or time.monotonic() > deadline:
            assert len(table) == len(expected)
            return table
        time.sleep(0.5)


def test_the_traffic_has_something_to_find(sent: Sent) -> None:
    """A slow leg, lost messages and timeouts, from the collector's files: else the other tests would say nothing."""
    found = {(finding.culprit, finding.cause) for finding in sent.diagnosis.findings}
    assert {("gateway->payment", "delay"), ("gateway->fulfillment", "lost_message")} <= found
    assert any(culprit == "payment->bank" for culprit, _ in found)


@pytest.mark.skipif(not BINARY.is_file(), reason="no Jaeger: run `make peers`")
def test_jaeger_gives_the_same_diagnosis(sent: Sent, tmp_path: Path) -> None:
    """Everything in it: findings with sizes and intervals, hops, operations, accounting, verdict."""
    with jaeger(tmp_path) as store:
        send_otlp(sent.spans, f"http://{store.http}")
        assert sent.diagnosed(f"jaeger+http://{store.query}?lookback=10m") == sent.diagnosis


@pytest.mark.skipif(not is_here(), reason="no Zipkin: run `make peers`, which needs Java and Maven")
def test_zipkin_gives_the_same_diagnosis(sent: Sent, tmp_path: Path) -> None:
    """The same, but that Zipkin keeps names in lower case."""
    with zipkin(tmp_path) as address, httpx.Client() as client:
        rows = [zipkin_of(row) for row in sent.spans.to_pylist()]
        for first in range(0, len(rows), BATCH_SPANS):
            answer = client.post(f"http://{address}/api/v2/spans", json=rows[first : first + BATCH_SPANS])
            answer.raise_for_status()
        diagnosis = sent.diagnosed(f"zipkin+http://{address}?lookback=10m")
    assert [in_lower_case(each) for each in diagnosis.findings] == [
        in_lower_case(each) for each in sent.diagnosis.findings
    ]
    assert diagnosis.hops == sent.diagnosis.hops
    assert diagnosis.accounting == sent.diagnosis.accounting
    assert diagnosis.verdict == sent.diagnosis.verdict


def in_lower_case(finding: Finding) -> Finding:
    operation = finding.operation.lower() if finding.operation else None
    return dataclasses.replace(finding, operation=operation, summary=finding.summary.lower())
