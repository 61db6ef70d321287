"""What the matrix does to the shop, and the plan that does it in one run of one stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faults.plan import Plan
from tracegap.stack.description import LINKS

__all__ = ["FAULTS", "NULL_CELLS", "Cell", "all_cells", "plan_of", "subset"]

# Strong enough to matter on every link, weak enough that the shop still answers where the fault allows it.
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "latency down": {"toxic": "latency", "latency": "120ms", "stream": "downstream"},
    "latency up": {"toxic": "latency", "latency": "120ms", "stream": "upstream"},
    "jitter": {"toxic": "latency", "latency": "80ms", "jitter": "80ms"},
    "bandwidth": {"toxic": "bandwidth", "rate": "4kB/s"},
    "slicer": {"toxic": "slicer", "average_size": "64B", "delay": "20ms"},
    "timeout": {"toxic": "timeout", "timeout": "0ms"},
    "reset_peer": {"toxic": "reset_peer", "timeout": "0ms"},
    "limit_data": {"toxic": "limit_data", "bytes": "100B"},
    "slow_close": {"toxic": "slow_close", "delay": "500ms"},
    "cut": {"enabled": False},
}
INVISIBLE = {"slow_close"}
"""The shop's connections are pooled and outlive the phase: delaying their end delays nothing."""
ANSWERS_ONLY = {"latency down", "jitter", "bandwidth", "slicer", "limit_data"}
SENDS_ONLY = {"gateway->nats"}
"""The gateway publishes at most once and waits for no answer: what these faults do to the other direction of this link
(the server's pongs) delays nothing and loses nothing. The probe sees them, because it asks for a pong."""

RECEIVES_ONLY = {"nats->email"}
"""The mailer only receives, at most once: what it says to the broker (its pongs) may be late."""
SHORT_ANSWERS = {"fulfillment->postgres"}
"""Fulfillment's one statement is answered in fewer bytes than a slicer's slice. The probe asks for more."""

MISBEHAVIOURS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("payment", {"burn": "60ms"}),
    ("inventory", {"sleep": "60ms"}),
    ("payment", {"sleep": "100ms"}),
    ("payment", {"raise": True, "rate": 0.3}),
    ("inventory", {"raise": True, "rate": 0.1}),
    ("payment", {"return_early": True}),
    ("gateway", {"drop_message": True, "rate": 0.5}),
    ("fulfillment", {"drop_message": True}),
    ("payment", {"lose_context": True}),
    ("email", {"sleep": "150ms"}),
)
NULL_CELLS = 10

BASELINE_S, FAULT_S, REST_S, SETTLE_S = 9, 9, 3, 1


@dataclass(frozen=True)
class Cell:
    """One fault with a baseline of its own. `row` and `column` are its place in the printed matrix."""

    name: str  # safe as a phase's name
    row: str
    column: str
    faults: tuple[Mapping[str, Any], ...] = ()
    shop: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def visible(self) -> bool:
        """Whether there is anything to find."""
        unheard = self.row in SENDS_ONLY and self.column in ANSWERS_ONLY
        unheard |= self.row in RECEIVES_ONLY and self.column == "latency up"
        unheard |= self.row in SHORT_ANSWERS and self.column == "slicer"
        return bool(self.faults or self.shop) and self.column not in INVISIBLE and not unheard

    @property
    def phases(self) -> tuple[str, str]:
        """Names of its baseline and of its fault phase."""
        return f"{self.name}-before", self.name


def all_cells() -> list[Cell]:
    """Every toxic on every link, every misbehaviour, and the null cells, spread among the others."""
    cells = [
        Cell(_safe(f"{fault}-{link.name}"), link.name, fault, ({**attributes, "link": link.name},))
        for link in LINKS
        for fault, attributes in FAULTS.items()
    ]
    for number, (service, wrong) in enumerate(MISBEHAVIOURS):
        kind = next(iter(wrong))
        cells.append(Cell(_safe(f"{kind}-{service}-{number}"), service, kind, shop={service: wrong}))
    every = len(cells) // NULL_CELLS
    for number in range(NULL_CELLS):
        cells.insert(number * (every + 1), Cell(f"null-{number + 1}", "nothing", f"null {number + 1}"))
    return cells


SUBSET = (
    "null-1", "latency-down-gateway-payment", "latency-up-gateway-inventory", "cut-nats-fulfillment",
    "reset_peer-gateway-payment", "latency-down-inventory-postgres", "raise-payment-3", "null-2",
)  # fmt: skip


def subset(cells: Iterable[Cell]) -> list[Cell]:
    """The cells for continuous integration: about five minutes with the stack's start."""
    return [cell for cell in cells if cell.name in SUBSET]


def plan_of(cells: Sequence[Cell], *, seed: int) -> Plan:
    """One plan that holds all cells, each behind its own baseline."""
    phases: list[dict[str, Any]] = []
    for cell in cells:
        before, during = cell.phases
        phases.append({"name": before, "duration": f"{BASELINE_S}s", "baseline": True})
        phases.append(
            {"name": during, "duration": f"{FAULT_S}s", "baseline": False, "faults": cell.faults, "shop": cell.shop}
        )
        if cell.faults or cell.shop:
            phases.append({"name": f"{cell.name}-rest", "duration": f"{REST_S}s", "baseline": False})
    return Plan.model_validate(
        {
            "name": "matrix",
            "seed": seed,
            "load": {"users": 20, "spawn_rate": 20.0},
            "warmup": "8s",
            "settle": f"{SETTLE_S}s",
            "drain": "6s",
            "steady_state": {"max_failure_rate": "5%", "min_requests": 20},
            "phases": phases,
        },
        context={"links": [link.name for link in LINKS]},
    )


def _safe(name: str) -> str:
    return name.replace("->", "-").replace(" ", "-")
