"""What a phase does, in one short line for the person who watches the run."""

from __future__ import annotations

from faults.plan import Misbehaviour, Phase
from faults.toxics import Choice, Cut, DropFirstConnections, Fault, Toxic

__all__ = ["phase_in_words"]

_UNITS = {"latency": "ms", "jitter": "ms", "timeout": "ms", "rate": "kB/s", "bytes": "bytes", "average_size": "bytes"}
_STREAMS = {"upstream": "requests", "downstream": "responses"}


def phase_in_words(phase: Phase) -> str:
    """Faults and misbehaviour, in the plan's order; empty for a quiet phase."""
    services = [f"{service}: {_misbehaviour(wrong)}" for service, wrong in phase.shop.items()]
    return "; ".join([*map(_fault, phase.faults), *services])


def _fault(fault: Fault) -> str:
    match fault:
        case Choice():
            return f"one of {len(fault.choose)} faults"
        case Cut():
            return f"{fault.link}: cut"
        case DropFirstConnections():
            return f"{fault.link}: first {fault.drop_first_connections} connections dropped"
        case Toxic():
            return f"{fault.link}: {_toxic(fault)}"


def _toxic(toxic: Toxic) -> str:
    """Toxiproxy's word for it, its first quantity, and which way it acts."""
    name, value = next(iter(toxic.wire(0.0).items()))
    quantity = f" {value:,} {_UNITS[name]}" if value and name in _UNITS else ""
    some = f" of {toxic.toxicity:.0%} of connections" if toxic.toxicity < 1 else ""
    return f"{toxic.toxic}{quantity} on {_STREAMS[toxic.stream]}{some}"


def _misbehaviour(wrong: Misbehaviour) -> str:
    return ", ".join(key if value is True else f"{key} {value:g}" for key, value in wrong.told().items())
