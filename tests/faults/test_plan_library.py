"""The plans that ship: usable on the shop, and saying what should be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.plan import Plan, each_fault, load_plan
from faults.toxics import Toxic
from tracegap.stack.description import LINKS, SERVICES, hops_of_links

FOLDER = Path(__file__).parents[2] / "faults" / "plans"
PLANS = sorted(FOLDER.glob("*.yaml"))
NAMES = [link.name for link in LINKS]
TOXICS = {"latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"}
FORGETTING = {"toxic-slow-close"}
"""Plans with faults of which nothing should be seen."""


def load(path: Path) -> Plan:
    return load_plan(path, links=NAMES, services=[service.name for service in SERVICES])


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_loads_and_has_the_name_of_its_file(path: Path) -> None:
    """Each plan fits the shop, has a baseline, and says what it shows."""
    plan = load(path)
    assert plan.name == path.stem
    assert plan.baselines()
    assert plan.description


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_says_what_should_be_found(path: Path) -> None:
    """Every phase that does something expects a finding, on a hop of its links or in a service that misbehaves."""
    plan = load(path)
    hops = hops_of_links()
    expected = {found.phase: found for found in plan.expect}
    if plan.name not in FORGETTING:
        assert expected.keys() == {phase.name for phase in plan.phases if not phase.quiet}
    for phase in plan.phases:
        if (found := expected.get(phase.name)) is not None:
            carried = {hop for fault in each_fault(phase.faults) for hop in hops[fault.link]}
            assert found.hop in carried if found.hop else found.service in phase.shop


def test_each_toxic_is_there_alone_on_each_kind_of_link() -> None:
    """For every toxic and the cut: a phase of its own on a call, a third party, a database, a cache, messages."""
    kinds = {
        "gateway->payment",
        "payment->bank",
        "inventory->postgres",
        "inventory->redis",
        "gateway->nats",
        "nats->fulfillment",
    }
    alone: dict[str, set[str]] = {}
    for path in PLANS:
        for phase in load(path).phases:
            if len(phase.faults) == 1 and not phase.shop:
                [fault] = each_fault(phase.faults) if len(list(each_fault(phase.faults))) == 1 else [None]
                if fault is not None:
                    alone.setdefault(fault.toxic if isinstance(fault, Toxic) else "cut", set()).add(fault.link)
    for kind in TOXICS | {"cut"}:
        assert kinds <= alone[kind], kind
