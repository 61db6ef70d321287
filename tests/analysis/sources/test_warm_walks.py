from __future__ import annotations

from analysis.sources.warm_walks import warm_walks


def test_every_walked_form_is_read() -> None:
    """Warming reads a span as Jaeger JSON, OTLP JSON, OTLP protobuf and as a small Jaeger file."""
    assert warm_walks() == 4
