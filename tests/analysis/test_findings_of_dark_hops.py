"""A service that cannot reach its database fails by itself, as far as spans show; its other calls give it away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.compare import compare
from analysis.compare_frame import frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.findings import Draft
from analysis.observations import concat
from analysis.observe import observe
from tests.analysis.builders import Span, span, table

TRACES = 80


def _request(
    name: str, at_ms: float, *, fails: bool, calls: tuple[str, ...], cut: str | None = None, query_ms: float = 2.0
) -> list[Span]:
    """gateway calls inventory, which asks `calls` in turn; `cut` is the one among them that ends with a reset."""
    server = {"trace": name, "service": "inventory"}
    status = 503 if fails else 200
    spans = [
        span("C", trace=name, service="gateway", name="GET", kind="client", start_ms=at_ms, ms=30, error=fails,
             http_status=status),
        span("S", parent="C", name="GET /items", kind="server", start_ms=at_ms + 2, ms=26, error=fails,
             http_status=status, **server),  # type: ignore[arg-type]
    ]  # fmt: skip
    for i, callee in enumerate(calls):
        error = "ConnectionResetError" if callee == cut else None
        spans.append(
            span(callee, parent="S", name="SELECT", kind="client", peer=callee, start_ms=at_ms + 4 + 6 * i,
                 ms=query_ms + i, error_type=error, **server)  # type: ignore[arg-type]
        )  # fmt: skip
    return spans


def _window(name: str, start_ms: float, request: Callable[[str, float, int], list[Span]]) -> list[Span]:
    return [s for i in range(TRACES) for s in request(f"{name}{i}", start_ms + 100 * i, i)]


def _drafts(
    now: Callable[[str, float, int], list[Span]], usual: tuple[str, ...] = ("redis", "postgresql")
) -> list[Draft]:
    def well(name: str, at_ms: float, _: int) -> list[Span]:
        return _request(name, at_ms, fails=False, calls=usual)

    parts = [observe(table(*_window("a", 0, well))), observe(table(*_window("b", 60_000, now)))]
    side = np.repeat([BASELINE, CURRENT], TRACES).astype(np.int8)
    return compare(Comparison(frame(concat(parts)), side)).drafts


def test_a_database_that_cannot_be_reached() -> None:
    """Requests fail, the cache is asked as always, and nothing reaches the database: the hop is to blame."""
    (draft,) = _drafts(lambda name, at_ms, _: _request(name, at_ms, fails=True, calls=("redis",)))
    finding = draft.finding
    assert (finding.culprit, finding.hop, finding.cause) == (*["inventory->postgresql"] * 2, "refused")
    assert finding.service == "postgresql"
    assert "inventory failed in 80 traces" in finding.summary


def test_a_database_whose_connections_were_cut() -> None:
    """The last statements on the old connections were reset; then there are no new ones: one finding."""

    def cut(name: str, at_ms: float, i: int) -> list[Span]:
        if i < 4:
            return _request(name, at_ms, fails=True, calls=("redis", "postgresql"), cut="postgresql")
        return _request(name, at_ms, fails=True, calls=("redis",))

    (draft,) = _drafts(cut)
    assert (draft.finding.culprit, draft.finding.cause) == ("inventory->postgresql", "reset")
    assert len(draft.affected) == TRACES


def test_a_service_that_calls_nobody_else() -> None:
    """Connections that were seen to be cut are enough to know why nothing follows."""

    def cut(name: str, at_ms: float, i: int) -> list[Span]:
        return _request(name, at_ms, fails=True, calls=("postgresql",) if i < 8 else (), cut="postgresql")

    (draft,) = _drafts(cut, usual=("postgresql",))
    assert (draft.finding.culprit, draft.finding.cause) == ("inventory->postgresql", "reset")


@pytest.mark.parametrize(
    "request_of",
    [
        lambda name, at_ms, i: _request(name, at_ms, fails=True, calls=()),
        lambda name, at_ms, i: _request(
            name, at_ms, fails=i % 3 == 0, calls=("redis",) if i % 3 == 0 else ("redis", "postgresql")
        ),
    ],
    ids=["before it calls anybody", "while others of its requests reach the database"],
)
def test_a_service_that_raises_is_to_blame_itself(request_of: Callable[[str, float, int], list[Span]]) -> None:
    """No hop alone went dark while the others went on."""
    (draft,) = _drafts(request_of)
    assert (draft.finding.culprit, draft.finding.cause) == ("inventory", "error")
