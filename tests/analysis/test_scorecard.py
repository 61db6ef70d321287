"""Findings against injected faults."""

from __future__ import annotations

from dataclasses import replace

from analysis.diagnosis import Finding
from analysis.scorecard import Fault, score

HOPS = {
    "gateway->payment": ["gateway->payment"],
    "nats->fulfillment": ["gateway->fulfillment"],
    "inventory->postgres": ["inventory->postgresql"],
    "gateway->nats": ["gateway->fulfillment", "gateway->email"],
}
SLOW = Finding(
    rank=1, kind="latency", culprit="gateway->payment", service="payment", hop="gateway->payment", cause="delay",
    leg="response", delta_ms=1502.0, interval_ms=(1499.0, 1505.0), share=0.99, rate=None, confidence=0.99, traces=(),
    summary="slow", phase="slow",
)  # fmt: skip
LOST = replace(
    SLOW, rank=2, kind="failure", culprit="gateway->fulfillment", service="fulfillment", hop="gateway->fulfillment",
    cause="lost_message", leg=None, delta_ms=None, phase="lost",
)  # fmt: skip
LATENCY = Fault("slow.0", "slow", "latency", "gateway->payment", None, "downstream", 1500.0, 1500.8)
CUT = Fault("lost.0", "lost", "cut", "nats->fulfillment")


def test_faults_that_were_named_count_as_found() -> None:
    """Hop, leg and cause are judged, and the magnitude is held against what the probe measured."""
    card = score([SLOW, LOST], [LATENCY, CUT], HOPS, ["slow", "lost", "recovery"])
    slow, cut = card.faults
    assert (card.found, card.missed, card.false_findings) == (2, 0, ())
    assert (slow.hop_right, slow.leg_right, slow.cause_right, slow.rank_in_phase) == (True, True, True, 1)
    assert slow.error_ms is not None
    assert abs(slow.error_ms - 1.2) < 1e-6
    assert (cut.hop_right, cut.leg_right, cut.cause_right, cut.error_ms) == (True, None, True, None)
    assert card.quiet_phases == ("recovery",)


def test_a_finding_that_no_fault_explains_is_false() -> None:
    """Also when it has the right hop in the wrong phase."""
    card = score([SLOW, replace(SLOW, rank=2, phase="recovery")], [LATENCY], HOPS, ["slow", "recovery"])
    assert card.false_findings == (2,)
    assert card.false_in_quiet_phases == 1


def test_a_fault_without_a_finding_is_missed() -> None:
    """A finding elsewhere does not count for it."""
    card = score([replace(SLOW, hop="a->b", culprit="a->b", service="b")], [LATENCY], HOPS)
    assert (card.found, card.missed, card.false_findings) == (0, 1, (1,))


def test_a_fault_that_never_took_effect_does_not_count() -> None:
    """Neither as found nor as missed; its phase is a quiet one."""
    card = score([], [replace(LATENCY, took_effect=False)], HOPS, ["slow"])
    assert (card.found, card.missed, card.quiet_phases) == (0, 0, ("slow",))
    assert "never took effect" in card.faults[0].message


def test_wrong_leg_and_cause_are_told() -> None:
    """The right hop alone is not the whole answer."""
    (only,) = score([replace(SLOW, leg="request", cause="reset")], [LATENCY], HOPS).faults
    assert (only.found, only.hop_right, only.leg_right, only.cause_right) == (True, True, False, False)


def test_a_part_shared_by_several_hops_explains_the_link_to_it() -> None:
    """When the broker is named, the fault on the link to the broker is found, though no single hop is."""
    broker = replace(LOST, culprit="nats", service="nats", hop=None, cause="delay")
    (only,) = score([broker], [replace(LATENCY, link="gateway->nats", phase="lost")], HOPS).faults
    assert only.found
    assert only.hop_right is False


def test_a_fault_inside_a_service_is_found_by_its_name() -> None:
    """Misbehaviour has no link: the service must be named."""
    burning = Fault("burn", "slow", "burn_ms", service="payment", asked_ms=200.0)
    (only,) = score(
        [replace(SLOW, culprit="payment", hop=None, cause="self", leg=None, delta_ms=207.0)], [burning], {}
    ).faults
    assert (only.found, only.cause_right, only.error_ms) == (True, True, 7.0)


def test_only_faults_of_one_size_are_measured() -> None:
    """What a slicer adds depends on the bytes, and what a failed call waits on its caller."""
    sliced = replace(LATENCY, kind="slicer", asked_ms=990.0)
    assert score([SLOW], [sliced], HOPS).faults[0].error_ms is None
    failed = replace(SLOW, kind="failure", cause="timeout")
    assert score([failed], [LATENCY], HOPS).faults[0].error_ms is None


def test_jitter_has_to_be_called_jitter() -> None:
    """And a steady delay a delay; little jitter may go by either name."""
    for jitter_ms, causes in ((0.0, {"delay"}), (300.0, {"delay", "jitter"}), (1500.0, {"jitter"})):
        fault = replace(LATENCY, jitter_ms=jitter_ms)
        right = {c for c in ("delay", "jitter") if score([replace(SLOW, cause=c)], [fault], HOPS).faults[0].cause_right}
        assert right == causes


def test_only_calls_have_legs_to_judge() -> None:
    """A callee that sends no spans leaves nothing to tell legs from."""
    blind = replace(SLOW, leg=None)
    for calls, judged in (({"gateway->payment"}, False), (set[str](), None)):
        (only,) = score([blind], [LATENCY], HOPS, calls=calls).faults
        assert only.leg_right is judged


def test_messages_may_wait_out_a_cut() -> None:
    """A sender that buffers while it connects anew makes waiting out of a reset; a call cannot."""
    reset = Fault("r", "lost", "reset_peer", "gateway->nats")
    stalled = replace(LOST, kind="latency", cause="stall")
    assert score([stalled], [reset], HOPS, calls=set()).faults[0].cause_right
    assert not score([stalled], [reset], HOPS, calls={"gateway->fulfillment"}).faults[0].cause_right


def test_a_service_that_is_slow_by_itself_is_not_its_link() -> None:
    """It is a false finding, and the fault of the link is missed."""
    itself = replace(SLOW, culprit="gateway", service="gateway", hop=None, cause="self", leg=None)
    card = score([itself], [LATENCY], HOPS)
    assert (card.found, card.missed, card.false_findings) == (0, 1, (1,))
