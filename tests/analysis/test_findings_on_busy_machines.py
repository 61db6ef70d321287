"""Faults that begin within a window, or on machines that were busier, or less busy, before: found all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tests.analysis.shop_cases import compared
from tests.analysis.shop_traffic import CHECKOUT, Draw, Fault, Traffic, constant

NOW = Traffic(seed=2, start_s=60)


def contention(mean_ms: float) -> Draw:
    """Waiting for a processor: a third of the crossings hardly wait, some wait long."""
    return lambda generator, n: np.where(generator.uniform(size=n) < 0.3, 0.0, generator.exponential(mean_ms, n))


def busy(factor: float) -> dict[str, Mapping[str, Draw]]:
    """Every time of the shop grows by about `factor` - 1 of itself, by waiting for a processor."""
    more = factor - 1
    return {
        "request": {e.hop: contention(more * e.request_ms) for e in CHECKOUT},
        "response": {e.hop: contention(more * e.response_ms) for e in CHECKOUT if e.response_ms},
        "own": {e.callee: contention(more * e.own_ms) for e in CHECKOUT if e.kind != "peer"},
    }


def after(share: float, value: float) -> Draw:
    """Nothing for the first share of the traces, then `value`."""
    return lambda _, n: np.where(np.arange(n) < share * n, 0.0, value)


def both(one: Draw, other: Draw) -> Draw:
    return lambda generator, n: one(generator, n) + other(generator, n)


def test_a_baseline_that_was_busier_hides_nothing() -> None:
    """The machine is calm now and everything is faster, but for one database link."""
    found = compared(Traffic(seed=1, **busy(6)), replace(NOW, request={"inventory->postgresql": constant(60)}))  # type: ignore[arg-type]
    assert [(f.culprit, f.cause) for f in found] == [("inventory->postgresql", "delay")]


def test_a_fault_that_begins_within_the_window() -> None:
    """A quarter of the window is as usual: the change itself must not pass for burstiness."""
    few = {"traces": 90, "checkouts": 1.0}
    base = Traffic(seed=1, **few)  # type: ignore[arg-type]
    now = replace(NOW, **few, request={"gateway->fulfillment": after(0.25, 400)})  # type: ignore[arg-type]
    (finding,) = compared(base, now)
    assert (finding.culprit, finding.cause) == ("gateway->fulfillment", "delay")


def test_contention_does_not_hide_what_every_crossing_meets() -> None:
    """Everything became slower, a hop much more; only there the fastest crossings are slow as well."""
    slower = busy(8)
    added = dict(slower["request"])
    added["gateway->inventory"] = both(added["gateway->inventory"], constant(25))
    (finding,) = compared(Traffic(seed=1), replace(NOW, **{**slower, "request": added}))  # type: ignore[arg-type]
    assert (finding.culprit, finding.leg) == ("gateway->inventory", "request")


def test_contention_that_hits_one_hop_harder_is_nobodys_fault() -> None:
    """The same without the fault: the fastest crossings of the hop are as fast as ever."""
    slower = busy(8)
    added = dict(slower["request"])
    added["gateway->inventory"] = contention(20)
    assert compared(Traffic(seed=1), replace(NOW, **{**slower, "request": added})) == ()  # type: ignore[arg-type]


def test_jitter_is_told_from_delay_in_noise() -> None:
    """A hop whose times vary by themselves: what is added varies more, or it does not."""
    noisy = {"response": {"gateway->payment": contention(20)}}
    shaken = both(contention(20), lambda generator, n: generator.uniform(0, 160, (2, n)).max(axis=0))
    moved = both(contention(20), constant(120))
    for added, cause in ((shaken, "jitter"), (moved, "delay")):
        (finding,) = compared(Traffic(seed=1, **noisy), replace(NOW, response={"gateway->payment": added}))  # type: ignore[arg-type]
        assert (finding.culprit, finding.cause) == ("gateway->payment", cause)


def test_one_hiccup_of_the_machine_is_nobodys_fault() -> None:
    """All crossings of one second are slow, at all places of one service: many rows, and one event."""
    few = {"traces": 300, "noise": 0.5}

    def hiccup(_: np.random.Generator, n: int) -> np.ndarray:
        at = np.arange(n)
        return np.where((at >= 0.4 * n) & (at < 0.52 * n), 12.0, 0.0)

    slow = dict.fromkeys(("inventory->redis", "inventory->postgresql"), hiccup)
    found = compared(Traffic(seed=1, **few), replace(NOW, **few, request=slow))  # type: ignore[arg-type]
    assert found == ()


def test_a_few_long_hangs_outweigh_a_little_slowness() -> None:
    """One call in fifteen hangs until its deadline and the others take a little longer: the hop hangs."""
    hangs = {"gateway->payment": Fault("TimeoutError", 0.07, waits_ms=5_000)}
    (finding,) = compared(Traffic(seed=1), replace(NOW, fails=hangs, request={"gateway->payment": constant(8)}))
    assert (finding.culprit, finding.cause, finding.kind) == ("gateway->payment", "stall", "failure")
