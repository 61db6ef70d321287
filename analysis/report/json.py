"""report.json: the diagnosis by the contract in docs/report.schema.json."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from analysis.budget import BudgetVerdict
from analysis.diagnosis import Diagnosis, HopStats, HopSummary
from analysis.report.attachments import Attachments

__all__ = ["SCHEMA", "as_document", "render"]

SCHEMA = "tracegap.report/1"

# A nanosecond: sums of rounded parts are still the rounded sum.
_DECIMALS = 6


def render(diagnosis: Diagnosis, attachments: Attachments | None = None) -> str:
    """The report as indented JSON with a final line break."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(as_document(diagnosis, attachments), option=options).decode()


def as_document(diagnosis: Diagnosis, attachments: Attachments | None = None) -> dict[str, object]:
    """The report as JSON values: what `render` writes, for callers that want no text."""
    attachments = attachments or Attachments()
    document: dict[str, object] = {
        "schema": SCHEMA,
        "input": asdict(diagnosis.input),
        "verdict": diagnosis.verdict,
        "reasons": diagnosis.reasons,
        "accounting": asdict(diagnosis.accounting),
        "operations": [asdict(operation) for operation in diagnosis.operations],
        "hops": [_hop(hop) for hop in diagnosis.hops],
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "phases": [asdict(phase) for phase in diagnosis.phases],
        "scorecard": asdict(attachments.scorecard) if attachments.scorecard else None,
        "logs": diagnosis.logs,
        "budgets": [_budget(result) for result in attachments.budgets],
    }
    rounded = _rounded(document)
    assert isinstance(rounded, dict)
    return rounded


def _hop(hop: HopSummary) -> dict[str, object]:
    return {
        "hop": hop.hop,
        "kind": hop.kind,
        **_stats(hop.stats),
        "baseline": None if hop.baseline is None else _stats(hop.baseline),
    }


def _budget(result: BudgetVerdict) -> dict[str, object]:
    return {
        "expression": result.budget.text,
        "held": result.held,
        "value": result.value,
        "excess": result.excess,
        "where": result.where,
        "message": result.message,
    }


def _stats(stats: HopStats) -> dict[str, object]:
    return asdict(stats)


def _rounded(value: object) -> object:
    """JSON types alone: tuples become lists, and no number claims more than a nanosecond."""
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value
