"""Traces as hypothesis draws them: trees of all kinds of spans, with everything that goes wrong in real ones."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.analysis.builders import Span, span

__all__ = ["batches", "traces"]

KINDS = (None, "internal", "server", "client", "producer", "consumer")
SERVICES = ("gateway", "payment", "bank", None)
ERRORS = (None, None, None, "httpx.ReadTimeout", "ConnectionResetError", "ValueError")


@st.composite
def traces(draw: st.DrawFn, trace: str = "T", max_spans: int = 14) -> list[Span]:
    """One trace: a parent may be missing, later, or the span itself; spans may share ids or end before they start."""
    count = draw(st.integers(1, max_spans))
    labels = [f"{trace}{i}" for i in range(count)]
    spans = []
    for i, own_label in enumerate(labels):
        # Now and then an id is taken already: by Zipkin's way of writing the two sides of a call, or by mistake.
        label = draw(st.sampled_from((own_label,) * 8 + (labels[i - 1],))) if i else own_label
        mostly_before = st.sampled_from(labels[:i]) if i else st.just("")
        parent = draw(st.one_of(mostly_before, mostly_before, mostly_before, st.sampled_from([*labels, "gone", ""])))
        service, name = draw(st.sampled_from(SERVICES)), draw(st.sampled_from(("x", "y", "z")))
        kind = draw(st.sampled_from(KINDS))
        spans.append(
            span(
                label, trace=trace, parent=parent, service=service, name=name, kind=kind,
                start_ms=draw(st.integers(0, 40)), ms=draw(st.integers(-1, 30)),
                error_type=draw(st.sampled_from(ERRORS)),
                http_status=draw(st.sampled_from((None, None, 200, 404, 503))),
                address=draw(st.sampled_from((None, "h:1"))), links=draw(st.lists(st.sampled_from(labels), max_size=1)),
                instance=draw(st.sampled_from((None, "i1"))), payload_bytes=draw(st.sampled_from((None, 10))),
            )
        )  # fmt: skip
    return spans


@st.composite
def batches(draw: st.DrawFn, max_traces: int = 4) -> list[list[Span]]:
    """Some traces, each a list of spans."""
    return [draw(traces(trace=f"T{i}", max_spans=10)) for i in range(draw(st.integers(1, max_traces)))]
