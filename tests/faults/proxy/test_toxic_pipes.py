"""Each toxic alone, to the nanosecond: what it lets through, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.proxy.toxic import Toxic
from faults.proxy.toxics import TOXICS
from faults.proxy.toxics.bandwidth import Bandwidth
from faults.proxy.toxics.latency import Latency
from faults.proxy.toxics.limit_data import LimitData
from faults.proxy.toxics.noop import Noop
from faults.proxy.toxics.reset_peer import ResetPeer
from faults.proxy.toxics.slicer import Slicer
from faults.proxy.toxics.slow_close import SlowClose
from faults.proxy.toxics.timeout import Timeout
from tests.faults.proxy.pipes import run

END = b""


@pytest.mark.parametrize(
    ("toxic", "arrivals", "ends_ms", "expected"),
    [
        (Noop(), [(1, b"a"), (2, b"b")], 3, [(1, b"a"), (2, b"b"), (3, END)]),
        (Latency(latency=10), [(1, b"a"), (2, b"b")], 30, [(11, b"a"), (12, b"b"), (30, END)]),
        (Latency(latency=10), [(1, b"a"), (2, b"b")], 2, [(11, b"a"), (12, b"b"), (12, END)]),
        (Latency(latency=-10), [(1, b"a")], 2, [(1, b"a"), (2, END)]),
        (Bandwidth(rate=1), [(0, b"abc")], 9, [(3, b"abc"), (9, END)]),
        (Bandwidth(rate=1), [(0, b"abc"), (1, b"de"), (9, b"f")], None, [(3, b"abc"), (5, b"de"), (10, b"f")]),
        (Bandwidth(rate=1), [(0, b"x" * 250)], None, [(100, b"x" * 100), (200, b"x" * 100), (250, b"x" * 50)]),
        (Bandwidth(rate=0), [(0, b"x")], 1, []),
        (Bandwidth(rate=-1), [(0, b"x")], 1, []),
        (SlowClose(delay=7), [(1, b"a")], 2, [(1, b"a"), (9, END)]),
        (Timeout(timeout=5), [(1, b"a"), (4, b"b")], None, [(9, END)]),
        (Timeout(timeout=5), [], None, [(5, END)]),
        (Timeout(timeout=5), [], 3, [(3, END)]),
        (Timeout(timeout=0), [(1, b"a")], None, []),
        (Timeout(timeout=0), [(1, b"a")], 3, [(3, END)]),
        (ResetPeer(timeout=5), [(1, b"a")], None, [(6, END)]),
        (ResetPeer(timeout=5), [], 3, [(8, END)]),
        (ResetPeer(timeout=0), [], None, []),
        (LimitData(bytes=3), [(1, b"ab"), (2, b"cd")], None, [(1, b"ab"), (2, b"c"), (2, END)]),
        (LimitData(bytes=2), [(1, b"ab")], None, [(1, b"ab"), (1, END)]),
        (LimitData(bytes=0), [(1, b"ab")], None, [(1, END)]),
        (LimitData(bytes=-1), [(1, b"ab")], None, [(1, END)]),
        (LimitData(bytes=9), [(1, b"ab")], 4, [(1, b"ab"), (4, END)]),
        (Slicer(average_size=2, delay=1000), [(0, b"abcd")], 9, [(0, b"ab"), (1, b"cd"), (9, END)]),
        (Slicer(average_size=9), [(0, b"abcd")], None, [(0, b"abcd")]),
        (Slicer(), [(0, b"abc")], None, [(0, b"a"), (0, b"b"), (0, b"c")]),
    ],
)
def test_a_toxic_lets_this_through_at_these_milliseconds(
    toxic: Toxic, arrivals: list[tuple[float, bytes]], ends_ms: float | None, expected: list[tuple[float, bytes]]
) -> None:
    assert run(toxic, arrivals, ends_ms=ends_ms) == expected


@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=20),
    toxic=st.one_of(
        st.builds(Latency, latency=st.integers(-5, 50), jitter=st.integers(0, 50)),
        st.builds(Bandwidth, rate=st.integers(1, 1000)),
        st.builds(
            Slicer, average_size=st.integers(0, 500), size_variation=st.integers(0, 600), delay=st.integers(0, 9)
        ),
        st.builds(SlowClose, delay=st.integers(0, 100)),
        st.builds(Noop),
    ),
)
def test_lossless_toxics_keep_every_byte_in_order_and_never_go_back_in_time(sizes: list[int], toxic: Toxic) -> None:
    arrivals = [(float(number), bytes([number]) * size) for number, size in enumerate(sizes)]
    out = run(toxic, arrivals, ends_ms=len(sizes))
    assert b"".join(data for _, data in out) == b"".join(data for _, data in arrivals)
    assert [at_ms for at_ms, _ in out] == sorted(at_ms for at_ms, _ in out)
    assert out[-1][1] == END


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=30), rate=st.integers(1, 200_000))
def test_bandwidth_is_exact_over_a_busy_line(sizes: list[int], rate: int) -> None:
    """Rounding is down to the nanosecond, once per piece."""
    out = run(Bandwidth(rate=rate), [(0, bytes(size)) for size in sizes])
    assert out[-1][0] == pytest.approx(sum(sizes) / rate, abs=1e-6 * (len(out) + 1))


def test_bandwidth_makes_up_for_timers_that_wake_late() -> None:
    out = run(Bandwidth(rate=1000), [(0, bytes(1000))] * 100, late_ms=5)
    assert out[-1][0] == pytest.approx(100 + 5, abs=1)


@given(size=st.integers(1, 40_000), average=st.integers(1, 5000), variation=st.integers(0, 800))
def test_slices_are_no_longer_than_average_plus_variation(size: int, average: int, variation: int) -> None:
    out = run(Slicer(average_size=average, size_variation=variation), [(0, bytes(size))])
    assert max(len(data) for _, data in out) <= average + variation


def test_every_toxic_file_is_in_the_catalogue_under_its_name() -> None:
    for name, toxic in TOXICS.items():
        assert toxic.__module__ == f"faults.proxy.toxics.{name}"
    with pytest.raises(TypeError):
        Latency(lateness=3)
