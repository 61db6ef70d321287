"""A server that waits for the bytes of a request: the link is slow, not the server."""

from __future__ import annotations

import numpy as np

from analysis.compare import compare
from analysis.compare_frame import frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.observations import Observations, concat
from analysis.observe import observe
from tests.analysis.builders import Span, span, table

TRACES = 40


def _trace(name: str, receive_ms: float) -> list[Span]:
    """gateway calls payment, which takes `receive_ms` to read the body and 5 ms to work."""
    whole = receive_ms + 9
    server = {"trace": name, "service": "payment", "start_ms": 2.0}
    return [
        span("C", trace=name, service="gateway", name="POST", kind="client", ms=whole),
        span("S", parent="C", name="POST /charge", kind="server", ms=whole - 4, **server),
        span("R", parent="S", name="POST /charge http receive", kind="internal", ms=receive_ms, **server),
    ]


def _window(prefix: str, receive_ms: float) -> Observations:
    generator = np.random.default_rng(1)
    spans: list[Span] = []
    for i in range(TRACES):
        spans += _trace(f"{prefix}{i}", receive_ms * generator.uniform(0.8, 1.2))
    return observe(table(*spans))


def test_waiting_for_the_body_is_the_request_leg() -> None:
    """The hop is named, with the leg that the bytes travelled."""
    side = np.repeat([BASELINE, CURRENT], TRACES).astype(np.int8)
    both = concat([_window("a", 0.5), _window("b", 200)])
    (draft,) = compare(Comparison(frame(both), side)).drafts
    finding = draft.finding
    assert (finding.culprit, finding.hop, finding.leg) == ("gateway->payment", "gateway->payment", "request")
    assert finding.cause == "delay"
    assert "arrival of requests on gateway->payment" in finding.summary
