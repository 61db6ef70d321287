"""Traces of a small shop, made by hand: what the commands that read traces are tested with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet

from tests.analysis.builders import EPOCH_NS, Span, span, table

__all__ = ["PHASES", "checkout", "write_run", "write_spans"]

SPACING_MS = 100.0
"""From the start of one checkout to the start of the next."""

PHASES = (("baseline", 0, 100), ("slow-payment", 100, 200), ("lost-orders", 200, 300))
"""Name, first and last (exclusive) checkout. The second gets its responses from payment 1,500 ms late; in the third
every third order message is lost."""


def checkout(number: int, *, response_ms: float = 1.0, lost: bool = False) -> Iterator[Span]:
    """One trace: generator, gateway, payment, and the order message to fulfillment."""
    trace, at = f"checkout {number}", number * SPACING_MS
    wobble = number * 7919 % 13 / 10  # no two traces are quite alike, and every run is
    charge_ms = 20.0 + wobble
    call_ms = 1.0 + charge_ms + response_ms + number * 104729 % 7 / 20
    whole_ms = 10.0 + call_ms
    shared = {"trace": trace, "host": "h"}
    yield span("POST /checkout", start_ms=at, ms=whole_ms + 2, service="locust", kind="client", **shared)
    yield span(
        "checkout", parent="POST /checkout", start_ms=at + 1, ms=whole_ms, service="gateway", kind="server",
        name="POST /checkout", **shared,
    )  # fmt: skip
    yield span("POST", parent="checkout", start_ms=at + 3, ms=call_ms, service="gateway", kind="client", **shared)
    yield span(
        "charge", parent="POST", start_ms=at + 4, ms=charge_ms, service="payment", kind="server",
        name="POST /charges", **shared,
    )  # fmt: skip
    sent_at = at + 3 + call_ms + 2
    yield span(
        "orders publish", parent="checkout", start_ms=sent_at, ms=1, service="gateway", kind="producer",
        destination="orders", **shared,
    )  # fmt: skip
    if not lost:
        yield span(
            "orders process", parent="orders publish", start_ms=sent_at + 3, ms=5, service="fulfillment",
            kind="consumer", destination="orders", **shared,
        )  # fmt: skip


def spans_between(first: int, last: int) -> list[Span]:
    spans: list[Span] = []
    for number in range(first, last):
        slow = PHASES[1][1] <= number < PHASES[1][2]
        lost = number >= PHASES[2][1] and number % 3 == 0
        spans += checkout(number, response_ms=1501.0 if slow else 1.0, lost=lost)
    return spans


def write_spans(path: Path, first: int, last: int) -> Path:
    """The checkouts of these numbers as a Parquet file."""
    pyarrow.parquet.write_table(table(*spans_between(first, last)), path)
    return path


def write_run(folder: Path) -> Path:
    """A run directory with the phases of PHASES, as a run that has been compacted to Parquet leaves it."""
    folder.mkdir(parents=True)
    write_spans(folder / "spans.parquet", PHASES[0][1], PHASES[-1][2])
    phases = [
        {
            "name": name,
            "start_ns": EPOCH_NS + int(first * SPACING_MS * 1e6),
            "end_ns": EPOCH_NS + int(last * SPACING_MS * 1e6),
            "baseline": name == "baseline",
        }
        for name, first, last in PHASES
    ]
    (folder / "phases.json").write_text(json.dumps({"phases": phases}))
    (folder / "peers.json").write_text("{}")
    return folder
