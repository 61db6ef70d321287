"""What a report shows beside the diagnosis itself."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.budget import BudgetVerdict
from analysis.report.distributions import Distribution
from analysis.report.exemplar import Exemplar
from analysis.report.failure_rates import FailureRate
from analysis.report.timeline import Timeline
from analysis.scorecard import Scorecard

__all__ = ["Attachments"]


@dataclass(frozen=True, slots=True)
class Attachments:
    """Everything is optional; a form shows what it can.

    `source` is what was analysed, as the user named it. `commands` are the next steps that a reader can type, and
    `files` the reports that stand beside this one.
    """

    source: str = ""
    exemplars: tuple[Exemplar, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    failure_rates: tuple[FailureRate, ...] = ()
    timeline: Timeline | None = None
    budgets: tuple[BudgetVerdict, ...] = ()
    scorecard: Scorecard | None = None
    files: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
