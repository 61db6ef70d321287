"""Each cell diagnosed by itself and held against what was injected in it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.diagnose import diagnose
from analysis.diagnosis import Finding
from analysis.scorecard import FaultScore
from benchmarks.matrix.cells import Cell, plan_of
from faults.ledger import read_ledger
from tracegap.analyze import observed
from tracegap.experiment.scoring import scorecard
from tracegap.reading import address_book_of, phases_of, read_locations
from tracegap.run_directory import RunDirectory

__all__ = ["Result", "results", "typical_error"]


@dataclass(frozen=True)
class Result:
    """What became of one cell."""

    cell: Cell
    word: str  # right, cause, place, missed, false, quiet, not injected
    detail: str
    error_ms: float | None = None
    error_share: float | None = None

    @property
    def good(self) -> bool:
        return self.word in ("right", "quiet", "not injected")


def results(run: RunDirectory, cells: Sequence[Cell]) -> Iterator[Result]:
    """Observe the run once, then diagnose those of the cells that it holds, one by one."""
    location = [str(run.path)]
    read = read_locations(location)
    observations = observed(read.spans, address_book_of(location))
    windows = {phase.name: phase for phase in phases_of(location)}
    cells = [cell for cell in cells if cell.name in windows]
    plan = plan_of(cells, seed=0)
    records = read_ledger(run.ledger)
    for cell in cells:
        phases = [windows[name] for name in cell.phases]
        diagnosis = diagnose(observations, phases=phases, logs=read.logs)
        own = plan.model_copy(update={"phases": tuple(p for p in plan.phases if p.name in cell.phases)})
        card = scorecard(own, [record for record in records if record.phase == cell.name], diagnosis)
        false = [finding for finding in diagnosis.findings if finding.rank in card.false_findings]
        yield _judged(cell, card.faults[0] if card.faults else None, diagnosis.findings, false)


def _judged(cell: Cell, score: FaultScore | None, findings: Sequence[Finding], false: Sequence[Finding]) -> Result:
    if score is None or not cell.visible:
        return Result(cell, "false" if findings else "quiet", _told(findings))
    if not score.counts:
        return Result(cell, "false" if findings else "not injected", _told(findings) or "the probe never saw it")
    if not score.found:
        return Result(cell, "missed", _told(findings))
    error = share = None
    if score.error_ms is not None and score.reported_ms is not None:
        error = abs(score.error_ms)
        share = error / max(abs(score.reported_ms - score.error_ms), 1e-9)
    detail = _told(findings)
    if false or (score.rank_in_phase or 1) > 1:
        return Result(cell, "false", detail, error, share)
    if score.hop_right is False and score.fault.link is not None and score.reported_hop is not None:
        return Result(cell, "place", detail, error, share)
    return Result(
        cell, "right" if score.cause_right and score.leg_right is not False else "cause", detail, error, share
    )


def _told(findings: Sequence[Finding]) -> str:
    return "; ".join(
        f"{f.culprit} {f.cause}" + (f" {f.leg}" if f.leg else "") + (f" {f.delta_ms:+.0f} ms" if f.delta_ms else "")
        for f in findings[:4]
    )


def typical_error(found: Sequence[Result]) -> tuple[float, float] | None:
    """Median magnitude error over the cells that have one: milliseconds, and share of what was measured."""
    measured = [r for r in found if r.error_ms is not None and r.error_share is not None]
    if not measured:
        return None
    return (
        statistics.median(r.error_ms for r in measured if r.error_ms is not None),
        statistics.median(r.error_share for r in measured if r.error_share is not None),
    )
