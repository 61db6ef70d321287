"""Faults on real links: there when the phase begins, felt, gone when it ends, however it ends."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.active import address_of
from faults.errors import FaultsError, ToxiproxyError, UnknownProxy
from faults.injector import Injector
from faults.ledger import FaultRecord, Ledger
from faults.plan import Plan
from faults.probe import HttpProbe, exchange
from faults.toxiproxy import Toxic, Toxiproxy
from tests.faults.conftest import LINK, OTHER

PROBES = {LINK: HttpProbe(), OTHER: HttpProbe()}
SEEN_WITHIN_S = 20.0


def wait_until_settled(ledger: Ledger, faults: int = 1, within_s: float = SEEN_WITHIN_S) -> None:
    """Until that many faults have been felt: waiting for what happens, not for time."""
    deadline = time.monotonic() + within_s
    while sum(record.took_effect is True for record in ledger.records()) < faults:
        assert time.monotonic() < deadline, ledger.records()
        time.sleep(0.02)


@pytest.fixture
def run(toxiproxy: Toxiproxy, tmp_path: Path) -> Callable[[Plan], tuple[FaultRecord, ...]]:
    """Drives a plan's phases, each until its faults were felt, and returns the ledger."""

    def drive(plan: Plan) -> tuple[FaultRecord, ...]:
        with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes=PROBES) as injector:
            felt = 0
            for phase in plan.phases:
                with injector.phase(phase):
                    felt += len(phase.faults)
                    wait_until_settled(ledger, felt)
            return ledger.records()

    return drive


def nothing_left(toxiproxy: Toxiproxy) -> bool:
    return all(proxy.enabled and not proxy.toxics for proxy in toxiproxy.proxies().values())


MEASURED = [
    ({"toxic": "latency", "latency": "200ms"}, 200.0, "ms"),
    ({"toxic": "latency", "latency": "200ms", "stream": "upstream"}, 200.0, "ms"),
    ({"toxic": "bandwidth", "rate": "16kB/s"}, 16_000.0, "bytes/s"),
    ({"toxic": "bandwidth", "rate": "16kB/s", "stream": "upstream"}, 16_000.0, "bytes/s"),
    ({"toxic": "slow_close", "delay": "300ms"}, 300.0, "ms"),
    ({"toxic": "timeout", "timeout": "200ms"}, 200.0, "ms"),
    ({"toxic": "reset_peer", "timeout": "200ms"}, 200.0, "ms"),
    ({"toxic": "limit_data", "bytes": "100B"}, 100.0, "bytes"),
]


@pytest.mark.parametrize(
    ("fault", "asked", "unit"), MEASURED, ids=lambda value: str(value) if isinstance(value, dict) else ""
)
def test_measures_what_was_asked(
    fault: dict[str, str],
    asked: float,
    unit: str,
    plan_of: Callable[..., Plan],
    run: Callable[[Plan], tuple[FaultRecord, ...]],
    toxiproxy: Toxiproxy,
) -> None:
    """The probe feels each toxic in the toxic's own measure; afterwards it is gone."""
    [record] = run(plan_of(phase={"duration": "20s", "faults": [{"link": LINK, **fault}]}))
    assert (record.asked, record.unit, record.took_effect) == (asked, unit, True)
    assert record.measured == pytest.approx(asked, rel=0.3)
    assert record.confirmed_ns is not None
    assert record.seen_ns is not None
    assert record.removed_ns is not None
    assert record.gone_ns is not None
    assert record.asked_ns <= record.confirmed_ns <= record.seen_ns <= record.removed_ns
    assert nothing_left(toxiproxy)


@pytest.mark.parametrize(
    "fault",
    [
        {"enabled": False},
        {"toxic": "timeout", "timeout": "0ms"},
        {"toxic": "reset_peer"},
        {"toxic": "slicer", "average_size": "64B", "size_variation": "16B", "delay": "10ms"},
        {"toxic": "limit_data", "bytes": "100B", "stream": "upstream"},
        {"toxic": "latency", "jitter": "300ms"},
        {"toxic": "latency", "latency": "100ms", "toxicity": "50%"},
    ],
    ids=str,
)
def test_feels_what_has_no_exact_measure(
    fault: dict[str, object],
    plan_of: Callable[..., Plan],
    run: Callable[[Plan], tuple[FaultRecord, ...]],
    toxiproxy: Toxiproxy,
) -> None:
    """Faults that hang, cut, or vary are seen and seen gone."""
    [record] = run(plan_of(phase={"duration": "20s", "faults": [{"link": LINK, **fault}]}))
    assert record.took_effect is True
    assert record.gone_ns is not None
    assert nothing_left(toxiproxy)


def test_drops_the_first_connections_and_no_others(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """Of four connections the first two end without an answer, the ledger counts them, the old upstream comes back."""
    plan = plan_of(phase={"duration": "20s", "faults": [{"link": LINK, "drop_first_connections": 2}]})
    before = toxiproxy.proxy(LINK)
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes=PROBES) as injector:
        with injector.phase(plan.phases[0]):
            address = address_of(before, toxiproxy)
            outcomes = [exchange(address, HttpProbe()).outcome for _ in range(4)]
        [record] = ledger.records()
    assert [outcome == "answered" for outcome in outcomes] == [False, False, True, True]
    assert (record.asked, record.measured, record.unit) == (2, 2, "connections")
    assert toxiproxy.proxy(LINK).upstream == before.upstream


def test_several_faults_at_once_are_there_together(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """When the block is entered every fault of the phase is confirmed; each record names the other one on its link."""
    faults = [
        {"link": LINK, "toxic": "latency", "latency": "50ms"},
        {"link": LINK, "toxic": "bandwidth", "rate": "1MB/s", "stream": "upstream"},
        {"link": OTHER, "enabled": False},
    ]
    plan = plan_of(phase={"duration": "20s", "faults": faults})
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes=PROBES) as injector:
        with injector.phase(plan.phases[0]):
            assert {toxic.type for toxic in toxiproxy.proxy(LINK).toxics} == {"latency", "bandwidth"}
            assert not toxiproxy.proxy(OTHER).enabled
            assert all(record.confirmed_ns for record in ledger.records())
        assert [record.together_with for record in ledger.records()] == [("phase.1",), ("phase.0",), ()]
    assert nothing_left(toxiproxy)


def test_a_ramp_moves_the_toxic(plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    """A ramp from 10 to 500 ms reaches its end, step by step, on the toxic that is there."""
    ramp = {"link": LINK, "toxic": "latency", "latency": {"from": "10ms", "to": "500ms"}}
    plan = plan_of(phase={"duration": "2s", "faults": [ramp]})
    seen = set()
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes={}) as injector:
        with injector.phase(plan.phases[0]):
            deadline = time.monotonic() + SEEN_WITHIN_S
            while 500 not in seen and time.monotonic() < deadline:
                seen |= {toxic.attributes["latency"] for toxic in toxiproxy.proxy(LINK).toxics}
        assert ledger.records()[0].attributes["latency"] == 500
    assert min(seen) == 10
    assert len(seen) > 3


def test_a_repeated_fault_comes_and_goes(plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    """Each turn of a repeated fault is a record of its own, removed before the next one is asked for."""
    fault = {"link": LINK, "toxic": "latency", "latency": "30ms", "repeat": {"every": "600ms", "lasting": "300ms"}}
    plan = plan_of(phase={"duration": "2s", "faults": [fault]})
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes={}) as injector:
        with injector.phase(plan.phases[0]):
            time.sleep(2)
        records = ledger.records()
    assert [record.fault for record in records] == [f"phase.0.{turn}" for turn in range(len(records))]
    assert len(records) >= 3
    for earlier, later in itertools.pairwise(records):
        assert earlier.removed_ns is not None
        assert earlier.removed_ns <= later.asked_ns
    assert nothing_left(toxiproxy)


def test_a_fault_that_does_nothing_is_reported_as_such(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """A toxic that somebody takes away behind the injector's back has `took_effect: false`, and why."""
    plan = plan_of(phase={"duration": "20s", "faults": [{"link": LINK, "toxic": "latency", "latency": "100ms"}]})
    real_add = toxiproxy.add_toxic
    toxiproxy.add_toxic = lambda proxy, toxic: real_add(OTHER, toxic)  # type: ignore[method-assign]
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes=PROBES) as injector:
        with injector.phase(plan.phases[0]):
            time.sleep(0.5)
        [record] = ledger.records()
    assert record.took_effect is False
    assert record.seen_ns is None
    assert "none showed it" in str(record.reason)


def test_a_link_without_a_probe_is_injected_and_not_judged(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """Without a probe nobody can tell: `took_effect` is null and not false."""
    plan = plan_of(phase={"duration": "20s", "faults": [{"link": LINK, "toxic": "latency", "latency": "100ms"}]})
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes={}) as injector:
        with injector.phase(plan.phases[0]):
            assert toxiproxy.proxy(LINK).toxics
        [record] = ledger.records()
    assert record.took_effect is None
    assert record.reason == "no probe for this link"


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_nothing_is_left_when_the_block_is_left_by_an_error(
    error: BaseException, plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """The error goes on its way, and the links are as before."""
    faults = [{"link": LINK, "toxic": "latency", "latency": "20ms"}, {"link": OTHER, "enabled": False}]
    plan = plan_of(phase={"duration": "20s", "faults": faults})
    with (
        pytest.raises(type(error)),
        Ledger(tmp_path / "ledger.jsonl") as ledger,
        Injector(toxiproxy, ledger, plan, probes=PROBES) as injector,
        injector.phase(plan.phases[0]),
    ):
        raise error
    assert nothing_left(toxiproxy)


def test_a_fault_that_cannot_be_injected_takes_the_others_with_it(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """The block does not run, and the faults before the refused one are removed."""
    faults = [{"link": LINK, "toxic": "latency", "latency": "20ms"}, {"link": OTHER, "enabled": False}]
    plan = plan_of(phase={"duration": "20s", "faults": faults})
    toxiproxy.disable(OTHER)
    ran = False
    with (
        pytest.raises(FaultsError, match="switched off already"),
        Ledger(tmp_path / "ledger.jsonl") as ledger,
        Injector(toxiproxy, ledger, plan, probes=PROBES) as injector,
        injector.phase(plan.phases[0]),
    ):
        ran = True
    assert not ran
    assert not toxiproxy.proxy(LINK).toxics
    assert not toxiproxy.proxy(OTHER).enabled, "somebody else's switch is left as it was"


def test_leaves_the_toxics_of_others_alone(plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    """On a shared server only what this run made goes away."""
    theirs = Toxic("latency_downstream", "latency", attributes={"latency": 1, "jitter": 0})
    toxiproxy.add_toxic(LINK, theirs)
    plan = plan_of(phase={"duration": "20s", "faults": [{"link": LINK, "toxic": "latency", "latency": "100ms"}]})
    with Ledger(tmp_path / "ledger.jsonl") as ledger, Injector(toxiproxy, ledger, plan, probes=PROBES) as injector:
        with injector.phase(plan.phases[0]):
            assert len(toxiproxy.proxy(LINK).toxics) == 2
        assert toxiproxy.proxy(LINK).toxics == (theirs,)


def test_a_link_that_the_server_does_not_have_is_refused_at_once(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """Entering the injector names the missing proxy."""
    plan = plan_of(phase={"duration": "20s", "faults": [{"link": LINK, "enabled": False}]})
    toxiproxy.delete(LINK)
    with (
        pytest.raises(UnknownProxy, match=LINK),
        Ledger(tmp_path / "ledger.jsonl") as ledger,
        Injector(toxiproxy, ledger, plan, probes=PROBES),
    ):
        pass


def test_a_failure_on_the_schedule_is_raised_after_the_block(
    plan_of: Callable[..., Plan], toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    """When a later turn cannot be injected the phase ends with that error, not in silence."""
    fault = {"link": LINK, "toxic": "latency", "latency": "30ms", "repeat": {"every": "400ms", "lasting": "200ms"}}
    plan = plan_of(phase={"duration": "10s", "faults": [fault]})
    real_add, first, refused = toxiproxy.add_toxic, threading.Event(), threading.Event()

    def refuse_later(proxy: str, toxic: Toxic) -> None:
        if first.is_set():
            refused.set()
            raise ToxiproxyError("refused")
        first.set()
        real_add(proxy, toxic)

    toxiproxy.add_toxic = refuse_later  # type: ignore[method-assign]
    with (
        pytest.raises(ToxiproxyError, match="refused"),
        Ledger(tmp_path / "ledger.jsonl") as ledger,
        Injector(toxiproxy, ledger, plan, probes={}) as injector,
        injector.phase(plan.phases[0]),
    ):
        assert refused.wait(SEEN_WITHIN_S)
    assert nothing_left(toxiproxy)
