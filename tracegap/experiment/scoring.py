"""The scorecard of a run: the diagnosis held against what was really injected. Only this reads both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.diagnosis import Diagnosis
from analysis.scorecard import Fault, Scorecard, score
from faults.ledger import FaultRecord
from faults.plan import Plan
from tracegap.stack.description import hops_of_links

__all__ = ["scorecard"]


def scorecard(plan: Plan, records: Sequence[FaultRecord], diagnosis: Diagnosis) -> Scorecard:
    """How well these findings name these faults.

    Args:
        records: the ledger: what was done to links.
        plan: what services were told to do wrong, and which phases were compared.
    """
    compared = [phase.name for phase in plan.phases if phase.name not in plan.baselines()]
    faults = [*(_on_link(record) for record in records), *_in_services(plan)]
    calls = {hop.hop for hop in diagnosis.hops if hop.kind == "call"}
    return score(diagnosis.findings, faults, hops_of_links(), compared, calls)


def _on_link(record: FaultRecord) -> Fault:
    in_ms = record.unit == "ms"
    return Fault(
        name=record.fault,
        phase=record.phase,
        kind=record.kind,
        link=record.link,
        stream=record.stream,
        asked_ms=record.asked if in_ms else None,
        jitter_ms=float(record.attributes.get("jitter", 0)),
        measured_ms=record.measured if in_ms else None,
        took_effect=record.took_effect,
        rate=record.toxicity,
    )


def _in_services(plan: Plan) -> Iterator[Fault]:
    for phase in plan.phases:
        for service, wrong in phase.shop.items():
            for kind, value in wrong.told().items():
                if kind == "rate":
                    continue
                asked_ms = float(value) if kind.endswith("_ms") else None
                name = f"{phase.name}.{service}.{kind}"
                yield Fault(name, phase.name, kind, service=service, asked_ms=asked_ms, rate=wrong.rate)
