"""When faults come and go: repetition, choice and ramps, by hand and by property."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.plan import Plan
from faults.schedule import adjustments, episodes, overlapping
from tests.faults.conftest import LINK, OTHER

LATENCY = {"link": LINK, "toxic": "latency", "latency": "50ms"}


def times(plan: Plan) -> list[tuple[str, float, float]]:
    [phase] = plan.phases
    return [(e.id, round(e.start_s, 6), round(e.end_s, 6)) for e in episodes(phase, plan.seed)]


def test_a_plain_fault_lasts_the_whole_phase(plan_of: Callable[..., Plan]) -> None:
    """One episode, named by phase and number."""
    assert times(plan_of(slow={"duration": "20s", "faults": [LATENCY]})) == [("slow.0", 0.0, 20.0)]


def test_a_repeated_fault_has_its_turns(plan_of: Callable[..., Plan]) -> None:
    """Two seconds of every five, and what is left at the end."""
    fault = {**LATENCY, "repeat": {"every": "5s", "lasting": "2s"}}
    assert times(plan_of(p={"duration": "11s", "faults": [fault]})) == [
        ("p.0.0", 0.0, 2.0),
        ("p.0.1", 5.0, 7.0),
        ("p.0.2", 10.0, 11.0),
    ]


CHOICE = {
    "every": "1s",
    "choose": [LATENCY, {"link": OTHER, "enabled": False}, {"link": LINK, "toxic": "reset_peer"}],
}


def drawn(plan: Plan, fault: str = "p.0") -> list[str]:
    [phase] = plan.phases
    return [getattr(e.fault, "toxic", "cut") for e in episodes(phase, plan.seed) if e.id.startswith(fault)]


def test_a_choice_is_drawn_by_the_seed(plan_of: Callable[..., Plan]) -> None:
    """The same seed draws the same, another seed something else, and every fault has its turn."""
    phase = {"duration": "30s", "faults": [CHOICE]}
    first = drawn(plan_of(seed=1, p=phase))
    assert first == drawn(plan_of(seed=1, p=phase))
    assert first != drawn(plan_of(seed=2, p=phase))
    assert set(first) == {"latency", "cut", "reset_peer"}


def test_editing_one_fault_does_not_change_what_others_draw(plan_of: Callable[..., Plan]) -> None:
    """Each fault has its own generator: a choice draws the same beside one fault and beside another."""
    beside = [{"link": OTHER, "toxic": "slow_close", "delay": "1s"}, {**CHOICE, "every": "2s"}]
    one, two = (drawn(plan_of(p={"duration": "30s", "faults": [fault, CHOICE]}), "p.1") for fault in beside)
    assert one == two


def test_a_ramp_has_steps_to_its_end(plan_of: Callable[..., Plan]) -> None:
    """From 0 to 100 ms in two seconds: ten equal steps that end at the end's value, inside the phase."""
    plan = plan_of(p={"duration": "2s", "faults": [{**LATENCY, "latency": {"from": "0ms", "to": "100ms"}}]})
    steps = adjustments(episodes(plan.phases[0], 1)[0])
    assert [attributes["latency"] for _, attributes in steps] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert 0 < steps[0][0] < steps[-1][0] < 2


def test_faults_on_one_link_at_one_time_overlap(plan_of: Callable[..., Plan]) -> None:
    """Not those on another link, and not those before or after."""
    faults = [
        {**LATENCY, "repeat": {"every": "4s", "lasting": "1s"}},
        {"link": LINK, "toxic": "reset_peer"},
        {"link": OTHER, "enabled": False},
    ]
    planned = episodes(plan_of(p={"duration": "8s", "faults": faults}).phases[0], 1)
    [reset] = [episode for episode in planned if episode.id == "p.1"]
    assert [other.id for other in overlapping(reset, planned)] == ["p.0.0", "p.0.1"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    duration_ms=st.integers(1000, 60_000),
    every_ms=st.integers(200, 20_000),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_turns_are_in_order_and_inside_the_phase(
    plan_of: Callable[..., Plan], duration_ms: int, every_ms: int, share: float, seed: int
) -> None:
    """Whatever the lengths: turns of a fault do not overlap, are not empty, and end with the phase."""
    repeat = {"every": f"{every_ms}ms", "lasting": f"{max(1, int(every_ms * share))}ms"}
    faults = [{**LATENCY, "repeat": repeat}, {**CHOICE, "every": f"{every_ms}ms"}]
    [phase] = plan_of(seed=seed, p={"duration": f"{duration_ms}ms", "faults": faults}).phases
    planned = episodes(phase, seed)
    for number in ("p.0", "p.1"):
        turns = [episode for episode in planned if episode.id.startswith(number)]
        assert turns[0].start_s == 0
        assert all(turn.start_s < turn.end_s <= phase.duration_s + 1e-9 for turn in turns)
        assert all(one.end_s <= two.start_s + 1e-9 for one, two in itertools.pairwise(turns))


@pytest.mark.parametrize("duration", ["1s", "1m"])
def test_a_ramp_is_not_moved_more_often_than_toxiproxy_can_follow(duration: str, plan_of: Callable[..., Plan]) -> None:
    """At most fifty steps, and none sooner than 150 ms after the one before."""
    plan = plan_of(p={"duration": duration, "faults": [{**LATENCY, "latency": {"from": "0ms", "to": "10s"}}]})
    moments = [at_s for at_s, _ in adjustments(episodes(plan.phases[0], 1)[0])]
    assert len(moments) <= 50
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) > 0.15
