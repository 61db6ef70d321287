"""What holds for every trace, however odd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import analysis.kernel
from analysis.critical_path import critical_path
from analysis.observations import CATEGORIES, Observations, concat
from analysis.observe import observe
from analysis.span_table import SPAN_SCHEMA
from analysis.trace_view import trace_view
from tests.analysis.builders import Span, span, table
from tests.analysis.strategies import batches, traces

SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def rows(observations: Observations) -> dict[str, list[str]]:
    """Rows as text in an order of their own, with trace ids in place of row numbers."""
    ids = [value.hex() for value in observations.traces["trace_id"].to_pylist()]
    plain = {"traces": sorted(map(str, observations.traces.to_pylist()))}
    for name in ("hops", "own", "defects"):
        listed = getattr(observations, name).to_pylist()
        plain[name] = sorted(str({**row, "trace": ids[row["trace"]]}) for row in listed)
    return plain


@SETTINGS
@given(traces())
def test_both_budgets_add_up_to_the_nanosecond(spans: list[Span]) -> None:
    """The categories of a trace sum to its duration, and those of its completion to the completion time."""
    (trace,) = observe(table(*spans)).traces.to_pylist()
    assert sum(trace[f"{name}_ns"] for name in CATEGORIES) == trace["duration_ns"]
    assert sum(trace[f"completion_{name}_ns"] for name in CATEGORIES) == trace["completion_ns"]
    assert all(trace[f"{prefix}{name}_ns"] >= 0 for name in CATEGORIES for prefix in ("", "completion_"))
    assert trace["completion_ns"] >= trace["duration_ns"]


@SETTINGS
@given(traces())
def test_path_shares_of_hops_and_own_time_add_up_to_their_categories(spans: list[Span]) -> None:
    """Every nanosecond of the root's budget but overlap is in exactly one row of hops or own time."""
    observed = observe(table(*spans))
    (trace,) = observed.traces.to_pylist()
    own = sum(observed.own["path_ns"].to_pylist())
    hops = sum(observed.hops["path_ns"].to_pylist())
    assert own == trace["self_ns"] + trace["gap_ns"]
    assert hops == trace["wire_ns"] + trace["peer_ns"] + trace["queue_ns"]


@SETTINGS
@given(traces())
def test_segments_have_no_holes(spans: list[Span]) -> None:
    """Segments follow one another from the root's start, and their sums are the budget."""
    given_table = table(*spans)
    (trace,) = observe(given_table).traces.to_pylist()
    for budget, prefix, length in (("root", "", "duration_ns"), ("completion", "completion_", "completion_ns")):
        found = [row for row in critical_path(given_table).to_pylist() if row["budget"] == budget]
        if budget == "completion" and not found:
            continue
        at = trace["start_ns"]
        for row in found:
            assert row["start_ns"] == at
            assert row["end_ns"] > at
            at = row["end_ns"]
        assert at == trace["start_ns"] + trace[length]
        for name in CATEGORIES:
            total = sum(row["end_ns"] - row["start_ns"] for row in found if row["category"] == name)
            assert total == trace[f"{prefix}{name}_ns"]


@SETTINGS
@given(traces(), st.randoms(use_true_random=False))
def test_order_and_repetition_of_spans_change_nothing(spans: list[Span], random: object) -> None:
    """The same rows come out of a shuffled table in which some spans stand twice."""
    again = [*spans, *spans[::2]]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert rows(observe(table(*again))) == rows(observe(table(*spans)))


@SETTINGS
@given(batches())
def test_observing_together_is_observing_apart(batch: list[list[Span]]) -> None:
    """observe(a + b) has the rows of observe(a) and observe(b)."""
    together = observe(table(*(one for spans in batch for one in spans)))
    apart = concat([observe(table(*spans)) for spans in batch])
    assert rows(together) == rows(apart)


@SETTINGS
@given(traces())
def test_every_trace_can_be_viewed(spans: list[Span]) -> None:
    """The view has each kept span once, and its path segments sum to the duration."""
    view = trace_view(table(*spans))
    assert len({one.span_id for one in view.spans}) <= len(view.spans) <= len(spans)
    assert sum(s.end_ns - s.start_ns for one in view.spans for s in one.path) == view.duration_ns


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels in their compiled form, whatever the size."""
    monkeypatch.setattr(analysis.kernel, "COMPILE_FROM", 0)


@settings(SETTINGS, max_examples=40, suppress_health_check=list(HealthCheck))
@given(batches())
def test_compiled_and_plain_kernels_agree(compiled: None, batch: list[list[Span]]) -> None:
    """Machine code and plain Python give the same observations, row by row."""
    spans = table(*(one for spans in batch for one in spans))
    fast = observe(spans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis.kernel, "COMPILE_FROM", 10**9)
        plain = observe(spans)
    for name in ("traces", "hops", "own", "defects"):
        assert getattr(fast, name).to_pylist() == getattr(plain, name).to_pylist()


def test_an_empty_table_has_empty_observations() -> None:
    """No spans: four tables without rows, and no segments."""
    observed = observe(table())
    assert [len(getattr(observed, name)) for name in ("traces", "hops", "own", "defects")] == [0, 0, 0, 0]
    assert len(critical_path(table())) == 0


def test_a_trace_of_three_hundred_thousand_spans_is_walked() -> None:
    """One parent with very many children, the worst order for each sort: every child inside the one before it."""
    count = 300_000
    place = np.arange(count)
    words = pa.DictionaryArray.from_arrays(pa.array(place % 3, pa.int32()), pa.array(["a", "b", "c"]))
    columns = {
        "trace_id": pa.array([b"one trace of all"] * count, pa.binary(16)),
        "span_id": pa.array(place + 1, pa.uint64()),
        "parent_span_id": pa.array(np.where(place > 0, 1, 0), pa.uint64()),
        "start_ns": pa.array(10**18 + place),
        "end_ns": pa.array(10**18 + 3 * count - place),
        "service": words,
        "name": words,
    }
    spans = pa.table([columns.get(f.name, pa.nulls(count, f.type)) for f in SPAN_SCHEMA], schema=SPAN_SCHEMA)
    (trace,) = observe(spans.take(pa.array(place[::-1]))).traces.to_pylist()
    assert sum(trace[f"{name}_ns"] for name in CATEGORIES) == trace["duration_ns"] == 3 * count
    assert trace["spans"] == count


def test_a_chain_ten_thousand_deep_is_walked() -> None:
    """Depth costs no recursion: each span keeps the millisecond that its child leaves."""
    depth = 10_000
    chain = [
        replace(span(f"s{i}", parent=f"s{i - 1}" if i else ""), start_ns=10**18 + i, end_ns=10**18 + 2 * depth - i)
        for i in range(depth)
    ]
    observed = observe(table(*reversed(chain)))
    assert observed.traces["duration_ns"].to_pylist() == [2 * depth]
    assert sum(observed.own["path_ns"].to_pylist()) == 2 * depth
    assert isinstance(critical_path(table(*chain)), pa.Table)
